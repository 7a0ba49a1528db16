import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { assets, watchUpgrade } from './upgrade'

const page = (hash: string) => `<!doctype html><html><head><script type="module" src="/assets/index-${hash}.js"></script><link rel="stylesheet" href="/assets/index-${hash}.css"></head><body></body></html>`
let served = ''

beforeEach(() => {
  vi.useFakeTimers()
  sessionStorage.clear()
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(served)))
  // As a link of another kind: the environment would fetch a script.
  document.head.innerHTML = '<link href="/assets/index-a.js"><link href="/assets/index-a.css">'
  document.body.innerHTML = ''
  served = page('a')
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

it('names scripts and styles by their address', () => {
  expect(assets(page('x'))).toBe('/assets/index-x.css /assets/index-x.js')
})

it('stays as long as the gateway serves the same page, or none', async () => {
  const reload = vi.fn()
  const u = watchUpgrade(reload)
  u.look()
  await vi.advanceTimersByTimeAsync(60_000)
  served = ''
  await vi.advanceTimersByTimeAsync(3_600_000)
  expect(reload).not.toHaveBeenCalled()
  u.stop()
})

it('loads a new page once, and not while a sheet is open or something is typed', async () => {
  const reload = vi.fn()
  const u = watchUpgrade(reload)
  document.body.innerHTML = '<div role="dialog"></div><input id="i" value="so far">'
  served = page('b')
  u.look()
  await vi.advanceTimersByTimeAsync(60_000)
  document.querySelector('[role=dialog]')!.remove()
  document.getElementById('i')!.focus()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(reload).not.toHaveBeenCalled()
  document.getElementById('i')!.blur()
  await vi.advanceTimersByTimeAsync(3_000)
  expect(reload).toHaveBeenCalledOnce()
  u.look()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(reload).toHaveBeenCalledOnce()
  u.stop()
})
