// The order of the lead queue, as pure functions.
//
// The rule of the house: a row never moves under the officer's cursor. So what
// the list shows is a fixed order of ids. While the officer is at the list, a
// new lead is only counted and a lead that left the tab keeps its row; the list
// settles when the officer asks for it or is elsewhere.
import type { Lead } from '../api/types'
import { tabs, type Tab } from './states'

/** newestFirst sorts as the gateway does: ids are UUIDs of version 7, which sort by time. */
export const newestFirst = (a: Lead, b: Lead) => (a.id < b.id ? 1 : a.id > b.id ? -1 : 0)

/** Filter narrows a tab; what is left out, or empty, narrows nothing. */
export type Filter = { cell?: string; kind?: string; state?: string }

/** Selection is what a tab asks for. Floor is the oldest id loaded so far; '' when the list is whole. */
export type Selection = Filter & { tab: Tab; text: string; floor: string }

/** matches tells whether a lead belongs to a selection. */
export function matches(lead: Lead, s: Selection): boolean {
  if (lead.canary || lead.id < s.floor) return false
  if (!(tabs[s.tab] as readonly string[]).includes(lead.state)) return false
  if (s.kind && lead.kind !== s.kind || s.state && lead.state !== s.state) return false
  if (s.cell && !lead.grid.some((g) => g.id === s.cell)) return false
  return contains(lead, s.text)
}

/** contains tells whether every word of a search is somewhere in what the officer reads of a lead. */
export function contains(lead: Lead, text: string): boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return true
  const hay = [
    '#' + lead.number, lead.camera.id, lead.camera.name, lead.zone.name ?? '', lead.summary.zh, lead.summary.en,
    lead.owner ?? '', ...lead.grid.map((g) => g.name),
  ].join('\n').toLowerCase()
  return words.every((w) => hay.includes(w))
}

/** settled is the order a list has when nothing holds it. */
export function settled(leads: Iterable<Lead>, s: Selection): string[] {
  return [...leads].filter((l) => matches(l, s)).sort(newestFirst).map((l) => l.id)
}

/** View is what a list shows, and how many leads wait to be shown. */
export type View = { ids: string[]; waiting: number }

/**
 * next is the list after a change. Held, it keeps every row where it is, only
 * counts what is new above it, and lets older leads, which the officer asked
 * for by scrolling, join below. Free, it settles. An unchanged list is the same array.
 */
export function next(shown: string[], leads: Iterable<Lead>, s: Selection, held: boolean): View {
  const ids = settled(leads, s)
  if (!held || shown.length === 0) return { ids: same(ids, shown) ? shown : ids, waiting: 0 }
  const known = new Set(shown)
  const last = shown[shown.length - 1]!
  const missing = ids.filter((id) => !known.has(id))
  const below = missing.filter((id) => id < last)
  return { ids: below.length > 0 ? [...shown, ...below] : shown, waiting: missing.length - below.length }
}

const same = (a: string[], b: string[]) => a.length === b.length && a.every((id, i) => id === b[i])

/**
 * step is the id that lies d rows from the selected one, within the list. From
 * a lead that is no longer in the list it goes to the neighbours it would have.
 */
export function step(ids: string[], selected: string | undefined, d: number): string | undefined {
  if (ids.length === 0) return undefined
  if (selected === undefined) return ids[0]
  let at = ids.indexOf(selected)
  if (at < 0) {
    const older = ids.findIndex((id) => id < selected)
    at = older < 0 ? ids.length : older
    if (d > 0) d--
  }
  return ids[Math.min(ids.length - 1, Math.max(0, at + d))]
}

/** Slice is the part of a windowed list that has elements. */
export type Slice = { from: number; to: number }

/** slice is which rows lie in or near the viewport. */
export function slice(count: number, rowHeight: number, top: number, height: number, spare = 6): Slice {
  const from = Math.max(0, Math.floor(top / rowHeight) - spare)
  const to = Math.min(count, Math.ceil((top + height) / rowHeight) + spare)
  return { from: Math.min(from, to), to }
}

/** anchored is the scroll position that keeps a row where it was on the screen while rows came or went above it. */
export function anchored(top: number, rowHeight: number, before: string[], after: string[], selected?: string): number {
  const inView = before[Math.floor(top / rowHeight)]
  for (const id of [selected, inView]) {
    if (id === undefined) continue
    const was = before.indexOf(id)
    const is = after.indexOf(id)
    if (was >= 0 && is >= 0) return Math.max(0, top + (is - was) * rowHeight)
  }
  return top
}
