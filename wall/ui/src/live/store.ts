// What the wall knows now: leads by id, the canary and the state of the stream.
// One object outside React, changed by the stream and by answers of the API;
// components subscribe, and are told at most once per animation frame.
import type { Canary, Lead, LeadState, StateCounts } from '../api/types'
import type { Link } from './sse'

/** Guess is a state that the page shows before the gateway has confirmed it. */
type Guess = { state: LeadState; onVersion: number }

/** keep is how many leads stay in memory: a wall runs for weeks. */
const keep = 5_000

export class Store {
  /** leads, guesses included. The map is replaced at every change. */
  leads: ReadonlyMap<string, Lead> = new Map()
  cameras: StateCounts | undefined
  canary: Canary | undefined
  link: Link = 'connecting'
  /** heard is when the last byte of the stream came, by this machine's clock. */
  heard = Date.now()
  /** changes counts what may have moved the totals of the queue. */
  changes = 0

  private known = new Map<string, Lead>()
  private guesses = new Map<string, Guess>()
  private listeners = new Set<() => void>()
  private planned = false
  /** version counts what subscribers were told; it is their snapshot. */
  version = 0

  readonly subscribe = (f: () => void) => {
    this.listeners.add(f)
    return () => void this.listeners.delete(f)
  }
  readonly snapshot = () => this.version

  /** put takes leads as the gateway told them; an older version than the known one is ignored. */
  put(leads: readonly Lead[]) {
    let changed = false
    for (const lead of leads) {
      const old = this.known.get(lead.id)
      if (old && old.version > lead.version) continue
      if (old?.state !== lead.state) this.changes++
      this.known.set(lead.id, lead)
      const guess = this.guesses.get(lead.id)
      if (guess && lead.version > guess.onVersion) this.guesses.delete(lead.id)
      changed = true
    }
    if (!changed) return
    this.prune()
    this.publish()
  }

  /** guess shows a state at once; put, or retract, ends it. */
  guess(id: string, state: LeadState) {
    const lead = this.known.get(id)
    if (!lead) return
    this.guesses.set(id, { state, onVersion: lead.version })
    this.publish()
  }

  /** retract takes a guess back. */
  retract(id: string) {
    if (this.guesses.delete(id)) this.publish()
  }

  /** pending tells whether a lead shows a state that is not confirmed. */
  pending(id: string) {
    return this.guesses.has(id)
  }

  setCanary(canary: Canary) {
    this.canary = canary
    this.tell()
  }

  setCameras(cameras: StateCounts) {
    this.cameras = cameras
    this.tell()
  }

  setLink(link: Link) {
    this.link = link
    this.tell()
  }

  clear() {
    this.known.clear()
    this.guesses.clear()
    this.cameras = undefined
    this.canary = undefined
    this.publish()
  }

  private prune() {
    if (this.known.size <= keep * 1.1) return
    const ids = [...this.known.values()]
      .sort((a, b) => Number(a.state === 'raised') - Number(b.state === 'raised') || (a.id < b.id ? -1 : 1))
      .map((l) => l.id)
    for (const id of ids.slice(0, this.known.size - keep)) this.known.delete(id)
  }

  private publish() {
    const shown = new Map(this.known)
    for (const [id, g] of this.guesses) {
      const lead = shown.get(id)
      if (lead) shown.set(id, { ...lead, state: g.state })
    }
    this.leads = shown
    this.tell()
  }

  private tell() {
    if (this.planned) return
    this.planned = true
    // A hidden tab gets no animation frames, and must still count leads in its title.
    const soon = document.hidden ? (f: () => void) => setTimeout(f, 250) : requestAnimationFrame
    soon(() => {
      this.planned = false
      this.version++
      for (const f of [...this.listeners]) f()
    })
  }
}

export const store = new Store()
