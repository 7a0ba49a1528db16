// What an officer does to a lead: shown at once, confirmed by the gateway,
// taken back when it refuses.
import { useQueryClient } from '@tanstack/react-query'
import { useCallback, useSyncExternalStore } from 'react'
import { get, path, post, Problem } from '../api/client'
import type { Lead, LeadDetail, LeadState, Transition } from '../api/types'
import { useWords } from '../i18n/words'
import { store } from '../live/store'
import { notify } from '../ui/notices'

/** undoWindow is how long a person may take back their own triage, in ms. */
export const undoWindow = 10_000

/** Undo is the last triage, while it can be taken back. */
export type Undo = {
  lead: Lead
  to: LeadState
  /** until is by this machine's clock, counted from before the request: never longer than the gateway allows. */
  until: number
  /** answer is the gateway's, undefined when it refused. */
  answer: Promise<Lead | undefined>
}

let undo: Undo | undefined
const listeners = new Set<() => void>()

function setUndo(next: Undo | undefined) {
  undo = next
  for (const f of [...listeners]) f()
}

/** useUndo is what can be taken back now. */
export const useUndo = () => useSyncExternalStore(
  (f) => { listeners.add(f); return () => void listeners.delete(f) },
  () => undo,
)

/** lapse ends an undo whose window has passed. */
export function lapse(u: Undo) {
  if (undo === u) setUndo(undefined)
}

/** Request is what a person asks of a lead besides its new state. */
export type Request = Pick<Transition, 'reason' | 'note' | 'departments' | 'copies'>

/** useDesk returns the two things an officer can do: move a lead, and take the last triage back. */
export function useDesk() {
  const client = useQueryClient()
  const { t, leadState, problem } = useWords()

  const failed = useCallback((lead: Lead, e: unknown) => {
    const p = e instanceof Problem ? e : new Problem(0)
    if (p.status === 409) {
      notify('bad', t('desk.taken', { number: lead.number, owner: p.owner || '—', state: leadState(p.state ?? '') }))
    } else {
      notify('bad', t('desk.failed', { number: lead.number, why: problem(p.code) }))
    }
    void client.invalidateQueries({ queryKey: ['lead', lead.id] })
    get<LeadDetail>(path(['leads', lead.id])).then((d) => store.put([d.lead]), () => {})
  }, [client, t, leadState, problem])

  const move = useCallback(async (lead: Lead, to: Transition['to'], r: Request = {}): Promise<Lead | undefined> => {
    // Whatever is done to a lead next ends the undo of its triage.
    if (undo?.lead.id === lead.id) setUndo(undefined)
    store.guess(lead.id, to)
    try {
      const answer = await post<Lead>(path(['leads', lead.id, 'transitions']), { to, version: lead.version, ...r } satisfies Transition)
      store.put([answer])
      return answer
    } catch (e) {
      failed(lead, e)
      return undefined
    } finally {
      store.retract(lead.id)
      void client.invalidateQueries({ queryKey: ['lead', lead.id] })
    }
  }, [client, failed])

  const triage = useCallback((lead: Lead, to: 'accepted' | 'rejected', r: Request = {}) => {
    const until = Date.now() + undoWindow
    const answer = move(lead, to, r)
    const u: Undo = { lead, to, until, answer }
    setUndo(u)
    void answer.then((l) => { if (!l) lapse(u) })
  }, [move])

  const takeBack = useCallback(async () => {
    const u = undo
    if (!u || Date.now() >= u.until) return
    setUndo(undefined)
    const moved = await u.answer
    if (!moved) return
    const back = await move(moved, 'raised')
    if (back) notify('info', t('desk.undone', { number: back.number }))
  }, [move, t])

  return { move, triage, takeBack }
}
