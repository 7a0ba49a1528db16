import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { LeadState } from '../api/types'
import { offered } from './actions'
import { tabOf, tabs, usuallyAllowed } from './states'

const names = (state: LeadState, allowed: LeadState[]) => offered(state, allowed).map((o) => o.name)

it.each<[LeadState, LeadState[], string[]]>([
  ['raised', ['accepted', 'rejected', 'merged', 'expired'], ['accept', 'reject']],
  ['accepted', ['raised', 'dispatched', 'transferred', 'closed'], ['dispatch', 'close', 'transfer']],
  ['rejected', ['raised'], ['review']],
  ['dispatched', ['acknowledged', 'accepted', 'transferred'], ['acknowledge', 'transfer', 'takeBack']],
  ['acknowledged', ['resolved'], ['resolve']],
  ['resolved', ['closed', 'dispatched'], ['close', 'dispatch']],
  ['closed', ['reopened'], ['reopen']],
  ['expired', [], []],
])('a %s lead that may go to %j offers %j', (state, allowed, want) => {
  expect(names(state, allowed)).toEqual(want)
})

it('leads on to the next step by one main action', () => {
  const main = (state: LeadState, allowed: LeadState[]) => offered(state, allowed).filter((o) => o.main).map((o) => o.name)
  expect(main('accepted', ['dispatched', 'transferred', 'closed'])).toEqual(['dispatch'])
  expect(main('resolved', ['dispatched', 'closed'])).toEqual(['close'])
})

it('never binds one key twice in one state', () => {
  const states = Object.values(tabs).flat()
  for (const s of states) {
    const keys = offered(s, states).map((o) => o.command).filter(Boolean)
    expect(new Set(keys).size, s).toBe(keys.length)
  }
})

// The gateway's table of transitions is the authority: a state that this page
// has no tab for, or a step that it promises and the gateway refuses, fails here.
it('knows the gateway\'s states and promises no step that its table lacks', () => {
  const lead = readFileSync('../../alerts/lead.go', 'utf8')
  const byName = new Map([...lead.matchAll(/(Lead\w+)\s+LeadState = "(\w+)"/g)].map((m) => [m[1]!, m[2] as LeadState]))
  expect(byName.size).toBe(11)
  const filed: string[] = Object.values(tabs).flat()
  expect(filed.toSorted()).toEqual([...byName.values()].toSorted())

  const table = readFileSync('../../alerts/table.go', 'utf8')
  const rows = [...table.matchAll(/^\t(Lead\w+):\s+\{([\w, ]*)\},$/gm)]
  expect(rows.length).toBe(11)
  for (const [, from, to] of rows) {
    const allowed = to!.split(', ').filter(Boolean).map((n) => byName.get(n)!)
    for (const s of usuallyAllowed(byName.get(from!)!)) expect(allowed, from).toContain(s)
  }
})

it('files every state under one tab', () => {
  expect(tabOf('raised')).toBe('triage')
  expect(tabOf('reopened')).toBe('accepted')
  expect(tabOf('resolved')).toBe('working')
  expect(tabOf('merged')).toBe('done')
})
