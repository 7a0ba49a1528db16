import { useSyncExternalStore } from 'react'
import { store, type Store } from './store'

/** useLive reads the live store and follows it. */
export function useLive(): Store {
  useSyncExternalStore(store.subscribe, store.snapshot)
  return store
}

// One timer for every age on the page.
let offset = 0
let now = Date.now()
let timer: ReturnType<typeof setInterval> | undefined
const watchers = new Set<() => void>()

function watch(f: () => void) {
  watchers.add(f)
  timer ??= setInterval(() => {
    now = Date.now() + offset
    for (const w of [...watchers]) w()
  }, 1000)
  return () => {
    watchers.delete(f)
    if (watchers.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

/** setGatewayClock makes every age count by the gateway's clock instead of this machine's. */
export function setGatewayClock(at: string) {
  offset = Date.parse(at) - Date.now()
  now = Date.now() + offset
}

/** gatewayNow is the gateway's time in milliseconds, as far as this page knows. */
export const gatewayNow = () => Date.now() + offset

/** useNow is the gateway's time in milliseconds, once a second. */
export const useNow = () => useSyncExternalStore(watch, () => now)
