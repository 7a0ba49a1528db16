import { expect, it } from 'vitest'
import { oldAfter, pictureAge } from '../cameras/age'
import { clock, sameDay, span } from './time'

it('tells the time of the site, not of this machine', () => {
  expect(clock('2026-02-28T16:30:05Z', 'Asia/Shanghai', true)).toBe('2026-03-01 00:30:05')
  expect(clock('2026-02-28T16:30:05Z', 'UTC')).toBe('16:30:05')
  expect(clock('nonsense', 'UTC')).toBe('')
  expect(sameDay('2026-02-28T15:59:59Z', '2026-02-28T16:00:00Z', 'Asia/Shanghai')).toBe(false)
})

it.each([
  [-5, 'second', 0, 0], [59.9, 'second', 59, 0], [60, 'minute', 1, 0], [3599, 'minute', 59, 59], [7380, 'hour', 2, 3], [90_000, 'day', 1, 1],
])('%d s', (s, unit, big, small) => expect(span(s)).toEqual({ unit, big, small }))

it('calls a picture old after two visits and some slack', () => {
  const now = Date.parse('2026-01-01T00:01:00Z')
  expect(oldAfter({ interval_now_seconds: 15 })).toBe(40)
  expect(pictureAge({ last_sample: '2026-01-01T00:00:18Z' }, now)).toBe(42)
  expect(pictureAge({ last_sample: '2026-01-01T00:01:02Z' }, now)).toBe(0)
  expect(pictureAge({}, now)).toBeUndefined()
})
