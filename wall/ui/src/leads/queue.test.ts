import { describe, expect, it } from 'vitest'
import { anchored, contains, next, settled, slice, step, type Selection } from './queue'
import { testLead } from './testlead'

const all: Selection = { tab: 'triage', text: '', floor: '' }
const id = (n: number) => testLead(n).id
const leads = (...ns: number[]) => ns.map((n) => testLead(n))

describe('a free list', () => {
  it('settles: newest first, its tab alone, no canary', () => {
    const list = [testLead(1), testLead(3), testLead(2, { state: 'accepted' }), testLead(4, { canary: true })]
    expect(next([], list, all, false)).toEqual({ ids: [id(3), id(1)], waiting: 0 })
  })
  it('is the same array while nothing changed', () => {
    const shown = settled(leads(1, 2), all)
    expect(next(shown, leads(1, 2), all, false).ids).toBe(shown)
  })
  it('ends at the oldest page loaded so far', () => {
    expect(settled(leads(1, 2, 3), { ...all, floor: id(2) })).toEqual([id(3), id(2)])
  })
})

describe('a held list', () => {
  const shown = [id(3), id(2)]
  it('counts a new lead and moves nothing', () => {
    const v = next(shown, leads(2, 3, 4, 5), all, true)
    expect(v.ids).toBe(shown)
    expect(v.waiting).toBe(2)
  })
  it('keeps the row of a lead that left the tab', () => {
    const v = next(shown, [testLead(3, { state: 'accepted', version: 2 }), testLead(2)], all, true)
    expect(v).toEqual({ ids: shown, waiting: 0 })
  })
  it('lets older leads join below', () => {
    expect(next(shown, leads(1, 2, 3, 4), all, true)).toEqual({ ids: [id(3), id(2), id(1)], waiting: 1 })
  })
  it('fills itself when it was empty', () => {
    expect(next([], leads(1), all, true)).toEqual({ ids: [id(1)], waiting: 0 })
  })
})

describe('search', () => {
  it.each([['south 7', true], ['#7', true], ['SOUTHTOWN', true], ['围挡', true], ['north', false], ['  ', true]])('%j: %s', (text, want) => {
    expect(contains(testLead(7), text)).toBe(want)
  })
})

describe('step', () => {
  const ids = ['e', 'd', 'b']
  it.each<[string | undefined, number, string]>([
    [undefined, 1, 'e'], ['e', 1, 'd'], ['b', 1, 'b'], ['e', -1, 'e'], ['d', -Infinity, 'e'], ['d', Infinity, 'b'],
    ['c', 1, 'b'], ['c', -1, 'd'], ['f', 1, 'e'], ['f', -1, 'e'], ['a', 1, 'b'], ['a', -1, 'b'],
  ])('from %s by %d', (from, d, want) => expect(step(ids, from, d)).toBe(want))
  it('has nowhere to go in an empty list', () => expect(step([], 'a', 1)).toBeUndefined())
})

describe('window', () => {
  it('covers the viewport and stays within the list', () => {
    expect(slice(10_000, 84, 84 * 500, 840, 2)).toEqual({ from: 498, to: 512 })
    expect(slice(3, 84, 0, 840)).toEqual({ from: 0, to: 3 })
    expect(slice(0, 84, 5000, 840)).toEqual({ from: 0, to: 0 })
  })
  it('keeps the selected row where it was on the screen', () => {
    expect(anchored(100, 10, ['x', 'y'], ['new', 'x', 'y'], 'y')).toBe(110)
  })
  it('keeps the top row where it was without a selection', () => {
    expect(anchored(10, 10, ['x', 'y'], ['n', 'm', 'x', 'y'])).toBe(30)
    expect(anchored(10, 10, ['x', 'y'], ['n'])).toBe(10)
  })
})

describe('a narrowed list', () => {
  const list = [
    testLead(1), testLead(2, { kind: 'fire' }), testLead(3, { grid: [{ id: 'g9', level: 'cell', name: 'Nine' }] }),
    testLead(4, { state: 'closed' }), testLead(5, { state: 'expired' }),
  ]
  it.each([
    [{ kind: 'fire' }, [2]],
    [{ cell: 'g9' }, [3]],
    [{ cell: 'nowhere' }, []],
    [{ tab: 'done' as const, state: 'expired' }, [5]],
    [{ tab: 'done' as const }, [5, 4]],
  ])('by %j shows %j', (filter, want) => {
    expect(settled(list, { ...all, ...filter })).toEqual(want.map(id))
  })
})
