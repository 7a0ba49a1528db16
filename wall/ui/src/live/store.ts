// What the wall knows now: leads by id, the canary and the state of the stream.
// One object outside React, changed by the stream and by answers of the API;
// components subscribe, and are told at most once per animation frame.
import type { Canary, Lead, LeadState, StateCounts } from '../api/types'
import type { Link } from './sse'

/** Guess is a state that the page shows before the gateway has confirmed it. */
type Guess = { state: LeadState; onVersion: number }

/** tested tells whether the gateway tests itself at all: without, nothing vouches for a quiet night. */
export const tested = (c: Canary) => c.interval_seconds > 0

/** keep is how many leads stay in memory: a wall runs for weeks. */
const keep = 5_000

/**
 * older tells whether a was told before b. A version counts what people did; between two, the condition
 * goes on: it is seen again, gets a picture, ends. So an answer that was long on its way is found out.
 */
function older(a: Lead, b: Lead): boolean {
  if (a.version !== b.version) return a.version < b.version
  if (!a.ended_at !== !b.ended_at) return !a.ended_at
  if (a.evidence.length !== b.evidence.length) return a.evidence.length < b.evidence.length
  return Date.parse(a.last_seen_at) < Date.parse(b.last_seen_at)
}

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
  private doubted = new Set<string>()
  private doubts = 0
  private listeners = new Set<() => void>()
  private planned = false
  /** version counts what subscribers were told; it is their snapshot. */
  version = 0

  readonly subscribe = (f: () => void) => {
    this.listeners.add(f)
    return () => void this.listeners.delete(f)
  }
  readonly snapshot = () => this.version

  /** put takes leads as the gateway told them; what is older than the known one is ignored. */
  put(leads: readonly Lead[]) {
    let changed = false
    for (const lead of leads) {
      const old = this.known.get(lead.id)
      this.doubted.delete(lead.id)
      if (old && older(lead, old)) continue
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

  /** doubt holds every lead for uncertain, since what moved meanwhile is not known; the answer is for settle. */
  doubt(): number {
    this.doubted = new Set(this.known.keys())
    return ++this.doubts
  }

  /** settle forgets the leads that nothing has confirmed since doubt: they have moved, and are asked for again where they are needed. */
  settle(doubt: number) {
    if (doubt !== this.doubts) return
    for (const id of this.doubted) this.known.delete(id)
    if (this.doubted.size === 0) return
    this.doubted.clear()
    this.changes++
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
    this.doubted.clear()
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
