import { expect, it } from 'vitest'
import { commandOf, digitOf, typing } from './keys'

const key = (code: string, more: Partial<KeyboardEvent> = {}) =>
  ({ code, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, isComposing: false, keyCode: 0, ...more }) as KeyboardEvent

it.each([
  ['KeyJ', {}, 'next'], ['ArrowUp', {}, 'previous'], ['KeyA', {}, 'accept'], ['Enter', {}, 'accept'], ['NumpadEnter', {}, 'accept'],
  ['KeyX', {}, 'reject'], ['KeyU', {}, 'undo'], ['KeyZ', { ctrlKey: true }, 'undo'], ['KeyZ', { metaKey: true }, 'undo'],
  ['Slash', {}, 'search'], ['Slash', { shiftKey: true }, 'help'], ['Escape', {}, 'escape'],
  ['KeyZ', {}, undefined], ['KeyA', { ctrlKey: true }, undefined], ['KeyA', { altKey: true }, undefined], ['KeyA', { shiftKey: true }, undefined],
  ['KeyC', { ctrlKey: true }, undefined], ['KeyR', { ctrlKey: true }, undefined],
])('%s %j is %s', (code, more, want) => expect(commandOf(key(code, more))).toBe(want))

it('goes by the place of the key, whatever letter the input method makes of it', () => {
  expect(commandOf(key('KeyA', { key: 'Process' }))).toBe('accept')
})

it('is off while an input method composes', () => {
  expect(commandOf(key('KeyA', { isComposing: true }))).toBeUndefined()
  expect(commandOf(key('KeyA', { keyCode: 229 }))).toBeUndefined()
  expect(digitOf(key('Digit1', { isComposing: true }))).toBeUndefined()
})

it('reads digits from both keypads', () => {
  expect([digitOf(key('Digit1')), digitOf(key('Numpad9')), digitOf(key('Digit0')), digitOf(key('Digit1', { ctrlKey: true }))]).toEqual([1, 9, undefined, undefined])
})

it('knows what takes text', () => {
  expect(typing(document.createElement('input'))).toBe(true)
  expect(typing(document.createElement('textarea'))).toBe(true)
  expect(typing(document.createElement('button'))).toBe(false)
  expect(typing(null)).toBe(false)
})
