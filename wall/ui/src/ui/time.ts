/** clock formats an instant in the site's time zone, always with seconds. */
export function clock(at: string | number, timeZone: string, withDay = false): string {
  const d = new Date(at)
  if (Number.isNaN(d.getTime())) return ''
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit',
    hour: '2-digit', minute: '2-digit', second: '2-digit',
  }).formatToParts(d)
  const p = (type: Intl.DateTimeFormatPartTypes) => parts.find((x) => x.type === type)?.value ?? ''
  const time = `${p('hour')}:${p('minute')}:${p('second')}`
  return withDay ? `${p('year')}-${p('month')}-${p('day')} ${time}` : time
}

/** sameDay tells whether two instants fall on one day of the site. */
export function sameDay(a: string | number, b: string | number, timeZone: string): boolean {
  return clock(a, timeZone, true).slice(0, 10) === clock(b, timeZone, true).slice(0, 10)
}

/** Span is a length of time in its two largest units. */
export type Span = { unit: 'second' | 'minute' | 'hour' | 'day'; big: number; small: number }

/** span cuts seconds into what a person reads: 42 s, 3 min 05 s, 2 h 10 min, 4 d 3 h. */
export function span(seconds: number): Span {
  const s = Math.max(0, Math.floor(seconds))
  if (s < 60) return { unit: 'second', big: s, small: 0 }
  if (s < 3600) return { unit: 'minute', big: Math.floor(s / 60), small: s % 60 }
  if (s < 86_400) return { unit: 'hour', big: Math.floor(s / 3600), small: Math.floor((s % 3600) / 60) }
  return { unit: 'day', big: Math.floor(s / 86_400), small: Math.floor((s % 86_400) / 3600) }
}
