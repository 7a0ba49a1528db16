// The keyboard map. Keys are told by their place on the keyboard (event.code),
// so that a Chinese input method does not change them.
import { useEffect, useRef } from 'react'

export type Command =
  | 'next' | 'previous' | 'first' | 'last' | 'accept' | 'reject' | 'dispatch' | 'close' | 'acknowledge' | 'resolve'
  | 'transfer' | 'undo' | 'search' | 'refresh' | 'marks' | 'nextPicture' | 'previousPicture' | 'help' | 'escape'

type Key = Pick<KeyboardEvent, 'code' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey' | 'isComposing' | 'keyCode'>

const plain: Record<string, Command> = {
  KeyJ: 'next', ArrowDown: 'next', KeyK: 'previous', ArrowUp: 'previous', Home: 'first', End: 'last',
  KeyA: 'accept', Enter: 'accept', NumpadEnter: 'accept', KeyX: 'reject', KeyD: 'dispatch', KeyC: 'close',
  KeyY: 'acknowledge', KeyF: 'resolve', KeyT: 'transfer', KeyU: 'undo', Slash: 'search', KeyR: 'refresh', KeyB: 'marks',
  Period: 'nextPicture', Comma: 'previousPicture',
  Escape: 'escape',
}

/** commandOf is what a key asks for; nothing while an input method composes. */
export function commandOf(e: Key): Command | undefined {
  if (e.isComposing || e.keyCode === 229) return undefined
  if ((e.ctrlKey || e.metaKey) && !e.altKey && !e.shiftKey && e.code === 'KeyZ') return 'undo'
  if (e.ctrlKey || e.metaKey || e.altKey) return undefined
  if (e.shiftKey) return e.code === 'Slash' ? 'help' : undefined
  return plain[e.code]
}

/** digitOf is the number 1..9 that a key stands for, on either keypad. */
export function digitOf(e: Key): number | undefined {
  if (e.isComposing || e.keyCode === 229 || e.ctrlKey || e.metaKey || e.altKey || e.shiftKey) return undefined
  const m = /^(?:Digit|Numpad)([1-9])$/.exec(e.code)
  return m ? Number(m[1]) : undefined
}

/** typing tells whether an element takes keys as text. */
export function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName)
}

/** presses tells whether an element answers Enter itself. */
function presses(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('button, a, summary, [role=button]') !== null
}

/** useCommands hands commands to a function, which answers whether it took one. Off in inputs and under dialogs. */
export function useCommands(handle: (c: Command) => boolean) {
  const latest = useRef(handle)
  useEffect(() => { latest.current = handle })
  useEffect(() => {
    function onKey(e: KeyboardEvent) {
      if (e.defaultPrevented || document.querySelector('[role=dialog]')) return
      const command = commandOf(e)
      if (!command) return
      if (typing(e.target) && command !== 'escape') return
      if ((e.code === 'Enter' || e.code === 'NumpadEnter') && presses(e.target)) return
      if (e.repeat && command !== 'next' && command !== 'previous') return
      if (latest.current(command)) e.preventDefault()
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
}
