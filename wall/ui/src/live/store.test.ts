import { expect, it, vi } from 'vitest'
import { testLead } from '../leads/testlead'
import { receive } from './connect'
import { Store, store } from './store'

const state = (s: Store, id: string) => s.leads.get(id)?.state

it('keeps the newest version, in whatever order they come', () => {
  const s = new Store()
  const lead = testLead(1)
  s.put([{ ...lead, version: 3, state: 'dispatched' }])
  s.put([{ ...lead, version: 2, state: 'accepted' }])
  expect(state(s, lead.id)).toBe('dispatched')
  s.put([{ ...lead, version: 3, state: 'dispatched', ended_at: '2026-01-01T00:01:00Z' }])
  expect(s.leads.get(lead.id)?.ended_at).toBeDefined()
})

it('keeps what it knows of a condition when an older answer of the same version comes late', () => {
  const s = new Store()
  const lead = testLead(1, { last_seen_at: '2026-01-01T00:01:00Z' })
  const picture = { sha256: 'a', phase: 'begin', size: 1, taken_at: lead.raised_at } as const
  s.put([{ ...lead, evidence: [picture] }])
  s.put([{ ...lead, last_seen_at: '2026-01-01T00:02:00Z' }])
  expect(s.leads.get(lead.id)?.evidence).toHaveLength(1)
  s.put([{ ...lead, evidence: [picture, { ...picture, sha256: 'b' }], ended_at: '2026-01-01T00:01:30Z' }])
  s.put([{ ...lead, evidence: [picture], last_seen_at: '2026-01-01T00:03:00Z' }])
  expect(s.leads.get(lead.id)?.ended_at).toBe('2026-01-01T00:01:30Z')
})

it('forgets, after a reset, what nothing confirms', () => {
  const s = new Store()
  s.put([testLead(1), testLead(2)])
  const first = s.doubt()
  const second = s.doubt()
  s.put([testLead(2), testLead(3)])
  s.settle(first)
  expect(s.leads.size).toBe(3)
  s.settle(second)
  expect([...s.leads.keys()]).toEqual([testLead(2).id, testLead(3).id])
})

it('shows a guess until it is retracted', () => {
  const s = new Store()
  const lead = testLead(1)
  s.put([lead])
  s.guess(lead.id, 'accepted')
  expect([state(s, lead.id), s.pending(lead.id)]).toEqual(['accepted', true])
  s.put([{ ...lead, last_seen_at: '2026-01-01T00:02:00Z' }])
  expect(state(s, lead.id)).toBe('accepted')
  s.retract(lead.id)
  expect([state(s, lead.id), s.pending(lead.id)]).toEqual(['raised', false])
})

it('drops a guess once the gateway tells a newer version', () => {
  const s = new Store()
  const lead = testLead(1)
  s.put([lead])
  s.guess(lead.id, 'accepted')
  s.put([{ ...lead, version: 2, state: 'rejected', owner: 'other' }])
  expect([state(s, lead.id), s.pending(lead.id)]).toEqual(['rejected', false])
})

it('forgets old leads that are done with before any that wait', () => {
  const s = new Store()
  s.put([testLead(0)])
  s.put(Array.from({ length: 6000 }, (_, i) => testLead(i + 1, { state: 'closed' })))
  expect(s.leads.size).toBe(5000)
  expect(s.leads.has(testLead(0).id)).toBe(true)
  expect(s.leads.has(testLead(1).id)).toBe(false)
  expect(s.leads.has(testLead(6000).id)).toBe(true)
})

it('tells subscribers once for a burst', async () => {
  const s = new Store()
  const told = vi.fn()
  const off = s.subscribe(told)
  for (let i = 0; i < 50; i++) s.put([testLead(i)])
  await vi.waitFor(() => expect(told).toHaveBeenCalledTimes(1))
  off()
})

it('takes the stream\'s messages, and survives what makes no sense', () => {
  const onReset = vi.fn()
  const send = (event: string, data: string) => receive({ event, data, id: '' }, { onReset })
  for (const data of ['', '{', 'null', '7', '"x"']) send('lead', data)
  send('never heard of', '{}')
  expect(store.leads.size).toBe(0)
  send('lead', JSON.stringify(testLead(1)))
  send('cameras', '{"online":4}')
  send('canary', '{"ok":false,"interval_seconds":60}')
  send('reset', '')
  expect([store.leads.size, store.cameras?.online, store.canary?.ok, onReset.mock.calls.length]).toEqual([1, 4, false, 1])
  store.clear()
})
