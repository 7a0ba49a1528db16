import { describe, expect, it } from 'vitest'
import { nextOf } from './Orders'

describe('what a department may report next', () => {
  it.each([
    ['sent', 'lead', 'acknowledged returned'],
    ['acknowledged', 'joint', 'on_scene done returned'],
    ['on_scene', 'lead', 'done returned'],
    ['done', 'lead', ''],
    ['returned', 'joint', ''],
    ['sent', 'copy', 'acknowledged'],
    ['acknowledged', 'copy', ''],
  ] as const)('%s as %s: %s', (state, part, want) => expect(nextOf({ state, part }).join(' ')).toBe(want))
})
