// Which actions a lead offers, as data: one row per button and key.
import type { LeadState, Transition } from '../api/types'
import type { Command } from '../keys'

export type ActionName =
  | 'accept' | 'reject' | 'dispatch' | 'close' | 'acknowledge' | 'resolve' | 'transfer' | 'reopen' | 'review' | 'takeBack'

export type Offer = {
  name: ActionName
  to: Transition['to']
  command?: Command
  key?: string
  /** ask is what the gateway wants to know besides the new state. */
  ask: 'nothing' | 'rejectReason' | 'closeReason' | 'departments' | 'words'
  /** reason is the code that the gateway demands; the words are then its note. */
  reason?: string
  main?: boolean
}

const offers: Record<ActionName, Offer> = {
  accept: { name: 'accept', to: 'accepted', command: 'accept', key: 'A', ask: 'nothing', main: true },
  reject: { name: 'reject', to: 'rejected', command: 'reject', key: 'X', ask: 'rejectReason' },
  dispatch: { name: 'dispatch', to: 'dispatched', command: 'dispatch', key: 'D', ask: 'departments', main: true },
  close: { name: 'close', to: 'closed', command: 'close', key: 'C', ask: 'closeReason' },
  acknowledge: { name: 'acknowledge', to: 'acknowledged', command: 'acknowledge', key: 'Y', ask: 'nothing', main: true },
  resolve: { name: 'resolve', to: 'resolved', command: 'resolve', key: 'F', ask: 'nothing', main: true },
  transfer: { name: 'transfer', to: 'transferred', command: 'transfer', key: 'T', ask: 'words' },
  reopen: { name: 'reopen', to: 'reopened', ask: 'words' },
  review: { name: 'review', to: 'raised', ask: 'words', reason: 'review' },
  takeBack: { name: 'takeBack', to: 'accepted', ask: 'words' },
}

/**
 * offered are the actions of a lead, in the order of their buttons. An
 * accepted lead goes back to raised by undo alone, which is no offer.
 */
export function offered(state: LeadState, allowed: readonly LeadState[]): Offer[] {
  const list: Offer[] = []
  for (const o of Object.values(offers)) {
    if (!allowed.includes(o.to)) continue
    if (o.name === 'review' && state === 'accepted') continue
    if (o.name === 'accept' && state !== 'raised') continue
    if (o.name === 'takeBack' && state === 'raised') continue
    list.push(o)
  }
  // What has been resolved is closed next; to dispatch it again is the exception.
  if (state === 'resolved') {
    const rank = (o: Offer) => Number(o.to !== 'closed')
    return list.sort((a, b) => rank(a) - rank(b)).map((o) => ({ ...o, main: o.to === 'closed' }))
  }
  return list
}
