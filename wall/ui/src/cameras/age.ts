import type { CameraView } from '../api/types'

/** slack is what a visit may take beyond its interval before a picture is called old, in seconds. */
const slack = 10

/** oldAfter is the age in seconds from which a camera's picture is marked as old: two visits and some slack. */
export const oldAfter = (c: Pick<CameraView, 'interval_now_seconds'>) => 2 * c.interval_now_seconds + slack

/** pictureAge is how old a camera's newest picture is at an instant, in seconds; undefined when there never was one. */
export function pictureAge(c: Pick<CameraView, 'last_sample'>, now: number): number | undefined {
  if (!c.last_sample || c.last_sample.startsWith('0001-')) return undefined
  return Math.max(0, (now - Date.parse(c.last_sample)) / 1000)
}
