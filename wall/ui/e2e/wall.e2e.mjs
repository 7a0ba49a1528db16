// The wall in a real browser, against a running gateway.
//
//   PATROL_URL          where the gateway listens          (http://127.0.0.1:8080)
//   PATROL_USER         someone who may view and judge     (officer)
//   PATROL_PASSWORD     their password                     (required)
//   PATROL_SECOND       someone else who may judge, as name:password    (optional)
//   PATROL_DEPARTMENT   someone of a department that gets the lead's order, as name:password (optional)
//   PATROL_HOOK         a POST here makes something happen (optional: else it waits for a lead)
//   PATROL_WAIT         seconds to wait for a lead         (90)
//   PATROL_SCREENSHOTS  a folder for pictures              (none are taken without)
//   CHROMIUM            the browser                        (/usr/bin/chromium)
//
// It fails on any console error, any violation of the content security policy,
// any request to another host and any finding of axe.
import assert from 'node:assert/strict'
import { access, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const env = (name, otherwise) => process.env[name] || otherwise
const base = new URL(env('PATROL_URL', 'http://127.0.0.1:8080'))
const user = env('PATROL_USER', 'officer')
const password = env('PATROL_PASSWORD')
const hook = env('PATROL_HOOK')
const patience = Number(env('PATROL_WAIT', '90')) * 1000
const shots = env('PATROL_SCREENSHOTS')
const browserPath = env('CHROMIUM', '/usr/bin/chromium')

if (!password) fail('PATROL_PASSWORD is not set: give the password of ' + user)
await access(browserPath).catch(() => fail(`there is no browser at ${browserPath}: install Debian's chromium or set CHROMIUM`))

function fail(why) {
  console.error(why)
  process.exit(2)
}

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const profile = await mkdtemp(join(tmpdir(), 'patrol-wall-'))
if (shots) await mkdir(shots, { recursive: true })

const context = await chromium.launchPersistentContext(profile, {
  executablePath: browserPath,
  headless: true,
  viewport: { width: 1920, height: 1080 },
  args: [
    '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
    `--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE ${base.hostname}`,
  ],
})
const wrong = []
const page = context.pages()[0] ?? await context.newPage()
page.setDefaultTimeout(15_000)

// Before login the gateway answers "who am I" with 401, and the browser says so.
const expected = (m) => m.text().includes('401') && m.location().url.endsWith('/api/v1/me')
page.on('console', (m) => { if (m.type() === 'error' && !expected(m)) wrong.push(`console: ${m.text()} ${m.location().url}`) })
page.on('pageerror', (e) => wrong.push(`exception: ${e.message}`))
page.on('request', (r) => {
  const u = new URL(r.url())
  if (u.protocol !== 'data:' && u.host !== base.host) wrong.push(`request to another host: ${r.url()}`)
})
await page.addInitScript(() => {
  document.addEventListener('securitypolicyviolation', (e) => console.error(`policy violated: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`))
})

async function accessible(where) {
  await page.evaluate(axe)
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }))
  for (const v of found.violations) wrong.push(`axe on ${where}: ${v.id}: ${v.help} ${v.nodes.slice(0, 3).map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message ?? '')).join(' | ')}`)
}

async function shot(name) {
  if (shots) await page.screenshot({ path: join(shots, name + '.png') })
}

const state = () => page.locator('.lead-head [data-state]').getAttribute('data-state')
async function becomes(want) {
  await page.locator(`.lead-head [data-state="${want}"]:not(.pending)`).waitFor()
  assert.equal(await state(), want)
}
const rows = () => page.locator('#queue [role=row][id]').evaluateAll((list) => list.map((r) => r.id))

async function enter(name, secret) {
  await page.locator('input[name=username]').waitFor()
  await page.locator('input[name=username]').fill(name)
  await page.locator('input[name=password]').fill(secret)
  await page.keyboard.press('Enter')
}

async function signIn() {
  await page.goto(base.href)
  await page.locator('input[name=username]').waitFor()
  await accessible('login')
  await shot('1-login')
  await enter(user, password)
  await page.locator('#queue').waitFor()
  await page.locator('.bar .lamp-ok').first().waitFor() // the stream is open
}

async function leadArrives() {
  await page.evaluate(() => { globalThis.notReloaded = true })
  await page.waitForLoadState('networkidle', { timeout: 3000 }).catch(() => {}) // the stream never idles
  const before = await rows()
  await shot('2-watch')
  const begun = Date.now()
  if (hook) {
    const answer = await fetch(hook, { method: 'POST' })
    assert.ok(answer.ok, `the hook answered ${answer.status}`)
  }
  const arrived = await page.waitForFunction(
    (known) => [...document.querySelectorAll('#queue [role=row][id]')].map((r) => r.id).find((id) => !known.includes(id)),
    before, { timeout: patience },
  )
  const id = (await arrived.jsonValue()).replace(/^lead-/, '')
  assert.equal(await page.evaluate(() => globalThis.notReloaded), true, 'the page was reloaded')
  console.log(`a lead appeared without reload, ${Date.now() - begun} ms after the hook`)
  return id
}

async function choose(id) {
  // Newest first: J comes to the new lead, unless a newer one has come meanwhile.
  for (let i = 0; i < 50; i++) {
    await page.keyboard.press('j')
    if (await page.locator(`#queue [id="lead-${id}"][aria-selected=true]`).count()) break
  }
  await page.waitForURL((u) => u.pathname === `/leads/${id}`)
  assert.equal(await page.locator('#queue').getAttribute('aria-activedescendant'), `lead-${id}`)
  await page.keyboard.press('j')
  await page.keyboard.press('k')
  await page.waitForURL((u) => u.pathname === `/leads/${id}`)
  await page.locator('.lead .picture img').waitFor()
  await page.locator('.lead .trace li').first().waitFor()
  await becomes('raised')
  const button = await page.locator('.actions button').first().boundingBox()
  assert.ok(button.y + button.height <= 1080, 'the buttons are below the screen')
  await accessible('lead')
  await shot('3-lead')
}

async function judge(id) {
  await page.keyboard.press('a')
  await becomes('accepted')
  assert.equal(await page.locator(`#queue [id="lead-${id}"]`).count(), 1, 'the accepted row left the list under the cursor')
  await page.locator('.undo').waitFor()
  await shot('4-accepted')
  await page.keyboard.press('u')
  await becomes('raised')
  await page.locator('.undo').waitFor({ state: 'detached' })
  await page.locator('.trace li').nth(2).waitFor()

  await page.keyboard.press('x')
  await page.locator('[role=dialog]').waitFor()
  await accessible('reject')
  await shot('5-reject')
  await page.keyboard.press('1')
  await becomes('rejected')
  await page.keyboard.press('Control+z')
  await becomes('raised')

  // Keys are off while text is typed.
  await page.keyboard.press('/')
  await page.keyboard.type('ax')
  assert.equal(await state(), 'raised')
  assert.equal(await page.locator('[role=dialog]').count(), 0)
  await page.locator('.search input').fill('')
  await page.keyboard.press('Escape')

  await page.keyboard.press('a')
  await becomes('accepted')
  await page.keyboard.press('d')
  await page.locator('[role=dialog]').waitFor()
  // The routes' departments are ticked already.
  await page.locator('[role=dialog] input:checked').first().waitFor()
  const ticked = await page.locator('[role=dialog] input:checked').count()
  await shot('6-dispatch')
  await page.keyboard.press('Enter')
  await becomes('dispatched')
  assert.ok(await page.locator('.orders .order').count() >= ticked)
  await shot('7-dispatched')
}

async function otherPages(id) {
  await page.keyboard.press('Shift+Slash')
  await page.locator('[role=dialog]').waitFor()
  await accessible('help')
  await shot('8-help')
  await page.keyboard.press('Escape')

  await page.locator('.nav a[href="/cameras"]').click()
  await page.locator('.camera-row').first().waitFor()
  await accessible('cameras')
  await shot('9-cameras')
  await page.locator('.camera-row').first().click()
  await page.locator('.camera-panel .facts').waitFor()
  await accessible('camera')
  await shot('10-camera')

  // A deep link lives: the same address shows the same camera again.
  const here = page.url()
  await page.goto(here)
  await page.locator('.camera-panel .facts').waitFor()
  await page.keyboard.press('Escape')
  await page.locator('.bar-right button', { hasText: '浅色' }).click()
  await page.locator('.bar-right button[lang=en]').click()
  await accessible('cameras, light')
  await shot('11-cameras-light-en')
  await page.goto(new URL(`/leads/${id}`, base).href)
  await page.locator('.lead .picture img').waitFor()
  await accessible('lead, light')
  await shot('12-lead-light-en')

  // 200 % zoom of a 1920-pixel window, and a narrow one: nothing may be cut off sideways.
  for (const width of [1280, 960, 480]) {
    await page.setViewportSize({ width, height: 800 })
    const button = await page.locator('.actions button').first().boundingBox()
    if (width > 900 && button.y + button.height > 800) wrong.push(`at ${width} px the buttons are below the screen`)
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    if (over > 0) wrong.push(`at ${width} px the page is ${over} px too wide`)
    await shot(`13-narrow-${width}`)
  }
}

/** What the shift has to do besides judging: what is narrowed, quieted, handed over and counted. */
async function shift(id) {
  await page.setViewportSize({ width: 1920, height: 1080 })
  await page.locator('.bar-right button[lang=zh-CN]').click()
  await page.locator('.bar-right button', { hasText: '深色' }).click()
  const row = page.locator(`#queue [id="lead-${id}"]`)
  await page.goto(new URL('/?tab=working', base).href)
  await row.waitFor()
  await page.locator('.queue-filters select').last().selectOption('acknowledged')
  await row.waitFor({ state: 'detached' })
  await page.locator('.queue-filters select').last().selectOption('dispatched')
  await row.waitFor()
  await page.locator('.queue-filters select').nth(1).selectOption('camera_fault')
  await row.waitFor({ state: 'detached' })
  await page.locator('.queue-filters select').nth(1).selectOption('intrusion')
  await row.waitFor()
  await accessible('queue, narrowed')
  await shot('14-narrowed')

  const shelved = await page.evaluate(async (lead) => {
    const { lead: l } = await (await fetch(`/api/v1/leads/${lead}`)).json()
    const body = JSON.stringify({ camera: l.camera.id, reason: '道路施工', to: new Date(Date.now() + 3_600_000).toISOString() })
    return (await fetch('/api/v1/shelves', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })).status
  }, id)
  assert.equal(shelved, 200)
  await page.locator('.nav a[href="/shift"]').click()
  await page.locator('.table tbody tr').first().waitFor()
  await page.locator('.offer textarea').fill('东门围挡有人翻越，派出所已派单')
  await page.locator('.offer button').click()
  await page.locator('.handovers li').first().waitFor()
  await accessible('shift')
  await shot('15-shift')
  await page.locator('.table button').first().click()
  await page.locator('.table tbody tr').first().waitFor({ state: 'detached' })

  await page.locator('.nav a[href="/report"]').click()
  await page.locator('.report .table').first().waitFor()
  await accessible('report')
  await shot('16-report')
  for (const where of ['/report', '/shift']) {
    await page.goto(new URL(where, base).href)
    await page.locator('.report').waitFor()
    for (const width of [1280, 480]) {
      await page.setViewportSize({ width, height: 800 })
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      if (over > 0) wrong.push(`${where} at ${width} px is ${over} px too wide`)
      await shot(`17-narrow-${where.slice(1)}-${width}`)
    }
    await page.setViewportSize({ width: 1920, height: 1080 })
  }
}

/** change ends a session by its button, and the next person logs in. */
async function change(who) {
  await page.locator('.bar-right button', { hasText: '退出' }).click()
  await enter(...who.split(':'))
}

/** Another officer signs for the shift. */
async function takeOver(id) {
  await change(env('PATROL_SECOND'))
  await page.locator('.nav a[href="/shift"]').click()
  await page.locator('.handovers .primary').first().click()
  await page.locator('.signatures').first().locator('.primary').waitFor({ state: 'detached' })
  await page.locator('.card', { has: page.locator('.offer') }).locator(`a[href="/leads/${id}"]`).waitFor()
  await shot('18-signed')
}

/** A department sees its orders, and answers. */
async function department() {
  await change(env('PATROL_DEPARTMENT'))
  await page.locator('.cards .order').first().waitFor()
  assert.equal(await page.locator('.nav').count(), 0)
  await accessible('department')
  await shot('19-department')
  const first = page.locator('.cards > li').first()
  await first.locator('.order-next button').first().click()
  await first.locator('.order .tag', { hasText: '已签收' }).waitFor()
  await shot('20-department-acknowledged')
}

/** A browser has six connections to a host; more windows than that must all be live. */
async function manyWindows() {
  const windows = []
  for (let i = 0; i < 7; i++) {
    const w = await context.newPage()
    windows.push(w)
    await w.goto(base.href)
    await w.locator('.bar .lamp-ok').first().waitFor()
    await w.locator('.overview .figures').waitFor()
  }
  for (const w of windows) await w.close()
}

try {
  await signIn()
  const id = await leadArrives()
  await choose(id)
  await judge(id)
  await otherPages(id)
  await manyWindows()
  await shift(id)
  if (env('PATROL_SECOND')) await takeOver(id)
  if (env('PATROL_DEPARTMENT')) await department()
} catch (e) {
  wrong.push(e.stack ?? String(e))
  await shot('failed').catch(() => {})
} finally {
  await context.close()
  await rm(profile, { recursive: true, force: true })
}
if (wrong.length > 0) {
  console.error(wrong.join('\n'))
  process.exit(1)
}
console.log('the wall works: login, live lead, keys, undo, dispatch, cameras; 0 violations')
