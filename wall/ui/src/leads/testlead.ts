import type { Lead } from '../api/types'

/** testLead is a lead for tests; its id sorts by n. */
export function testLead(n: number, change: Partial<Lead> = {}): Lead {
  return {
    id: `0199-${String(n).padStart(6, '0')}`, number: n, kind: 'intrusion', severity: 'medium', state: 'raised', version: 1,
    summary: { zh: '围挡内有活动', en: 'Something moves inside the fence' }, rule: { id: 'intrusion', version: 1 },
    camera: { id: `cam-${n}`, name: `South gate ${n}`, lat: 0, lon: 0 }, zone: { id: 'z', name: 'Fence', kind: 'closed_area' },
    grid: [{ id: 'c', level: 'city', name: 'City' }, { id: 't', level: 'town', name: 'Southtown' }],
    evidence: [], orders: [], clocks: [], raised_at: '2026-01-01T00:00:00Z', changed_at: '2026-01-01T00:00:00Z',
    began_at: '2026-01-01T00:00:00Z', last_seen_at: '2026-01-01T00:00:00Z', ...change,
  }
}
