// The states of a lead and what the wall makes of them.
import type { Kind, LeadState } from '../api/types'

/** tabs group the states by what an officer does next. */
export const tabs = {
  triage: ['raised'],
  accepted: ['accepted', 'reopened'],
  working: ['dispatched', 'acknowledged', 'resolved', 'transferred'],
  done: ['closed', 'rejected', 'merged', 'expired'],
} as const satisfies Record<string, readonly LeadState[]>
export type Tab = keyof typeof tabs

/** kinds are those that a queue can be narrowed to, the most urgent first. */
export const kinds = [
  'fire', 'smoke', 'intrusion', 'water_edge', 'fire_lane_blocked', 'crowd', 'object_left', 'object_taken', 'illegal_parking', 'standstill', 'camera_fault',
] as const satisfies readonly Kind[]
export const tabNames = Object.keys(tabs) as Tab[]

export function tabOf(state: LeadState): Tab {
  return tabNames.find((t) => (tabs[t] as readonly LeadState[]).includes(state)) ?? 'done'
}

/** isTab narrows text from an address. */
export const isTab = (s: string | null): s is Tab => s !== null && (tabNames as string[]).includes(s)

// What people may do, while the gateway's own answer for this version is not
// here yet. The gateway decides; this only saves an officer the wait.
const usual: Record<LeadState, readonly LeadState[]> = {
  raised: ['accepted', 'rejected'],
  accepted: ['dispatched', 'transferred', 'closed'],
  rejected: [],
  merged: [],
  expired: [],
  dispatched: ['acknowledged'],
  acknowledged: ['resolved'],
  resolved: ['closed', 'dispatched'],
  transferred: ['closed'],
  closed: ['reopened'],
  reopened: ['dispatched'],
}
export const usuallyAllowed = (state: LeadState): readonly LeadState[] => usual[state]
