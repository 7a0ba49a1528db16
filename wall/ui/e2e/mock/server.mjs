// A stand-in for the gateway, for work on the page alone: it keeps leads in
// memory and serves dist under the gateway's own policy. It is no reference
// for the API; ../../openapi.json is.
//
//   node e2e/mock/server.mjs [port]        POST /mock/raise makes a lead
//   MOCK_PICTURE=some.jpg                  the picture of every camera; 503 without
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

const dist = fileURLToPath(new URL('../../dist/', import.meta.url))
const port = Number(process.argv[2] ?? 8080)
const csp = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; worker-src 'self'; " +
  "connect-src 'self'; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

const now = () => new Date().toISOString()
const ago = (s) => new Date(Date.now() - s * 1000).toISOString()
const towns = ['东城街道', '南洲镇', '西岭街道']
const reasons = ['unreachable', 'timeout', 'auth', 'no_key_unit', 'stalled']
const cells = { town: [], cell: [], subcell: [] }
for (const [i, name] of towns.entries()) {
  cells.town.push({ id: `t${i}`, name, level: 'town', parent: 'city' })
  for (let j = 1; j <= 3; j++) {
    cells.cell.push({ id: `t${i}c${j}`, name: `第${j}网格`, level: 'cell', parent: `t${i}` })
    for (let k = 1; k <= 3; k++) cells.subcell.push({ id: `t${i}c${j}s${k}`, name: `${j}-${k}号`, level: 'subcell', parent: `t${i}c${j}` })
  }
}
const gridOf = (i) => {
  const s = cells.subcell[i % cells.subcell.length]
  const c = cells.cell.find((x) => x.id === s.parent)
  const t = cells.town.find((x) => x.id === c.parent)
  return [{ id: 'city', level: 'city', name: '临江市' }, t, c, s].map(({ id, level, name }) => ({ id, level, name }))
}
const zone = (i) => i % 2
  ? { id: 'z1', name: '东侧围挡内', kind: 'closed_area', area: [[0.08, 0.45], [0.5, 0.38], [0.62, 0.95], [0.05, 0.97]] }
  : { id: 'z1', name: '主消防通道', kind: 'fire_lane', area: [[0.3, 0.2], [0.72, 0.2], [0.95, 0.98], [0.12, 0.98]] }
const cameras = Array.from({ length: 240 }, (_, i) => {
  const state = i % 11 === 3 ? 'offline' : i % 13 === 5 ? 'degraded' : i % 37 === 9 ? 'unknown' : 'online'
  const online = state === 'online' || state === 'degraded'
  return {
    id: `3302060${String(1000000000000 + i).slice(1)}`, name: `${towns[i % 3]}解放路${i + 1}号${i % 2 ? '围挡' : '通道口'}`, owner: i % 4 ? '市城管局' : '沿街商户',
    lat: 29.86 + i / 5000, lon: 121.55 + i / 4000, tier: ['high', 'normal', 'low'][i % 3], interval_seconds: [5, 15, 60][i % 3], interval_now_seconds: [5, 15, 60][i % 3], mode: 'auto', mode_now: ['resident', 'visit', 'visit'][i % 3], transport: 'auto',
    grid: gridOf(i), zones: [{ ...zone(i), cell: '' }], state,
    reason: state === 'offline' ? reasons[i % 5] : state === 'degraded' ? ['frozen', 'dark', 'covered', 'moved', 'blurred'][i % 5] : undefined,
    detail: state === 'offline' ? 'dial tcp 10.12.8.7:554: i/o timeout' : undefined,
    since: ago(4000 + i * 60), last_sample: online ? ago(i % 17) : state === 'offline' ? ago(4000 + i * 60) : undefined,
    failures: state === 'offline' ? 12 : 0, next_try: state === 'offline' ? ago(-40) : undefined, skew_seconds: 0,
  }
})
const counts = (list) => Object.fromEntries(['online', 'degraded', 'offline', 'unknown', 'disabled'].map((s) => [s, list.filter((c) => c.state === s).length]))

const leads = new Map()
const traces = new Map()
let number = 1040
function raise(i, age = 0) {
  const c = cameras[i]
  const z = c.zones[0]
  const fire = z.kind === 'fire_lane'
  const at = ago(age)
  const ms = Date.now() - age * 1000
  const hex = ms.toString(16).padStart(12, '0')
  const lead = {
    id: `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${String(++number).padStart(12, '0')}`, number, kind: fire ? 'fire_lane_blocked' : 'intrusion',
    severity: fire ? (i % 3 ? 'medium' : 'low') : i % 3 ? 'medium' : 'high', state: 'raised', version: 1,
    summary: fire
      ? { zh: `主消防通道内有物体停留超过 3 分钟`, en: 'Something has stood in the fire lane for more than 3 minutes' }
      : { zh: `禁入时段内东侧围挡内有活动`, en: 'Something moves in the closed area in closed hours' },
    rule: { id: fire ? 'fire_lane_blocked' : 'intrusion', version: 1 }, camera: { id: c.id, name: c.name, lat: c.lat, lon: c.lon },
    zone: { id: 'z1', name: z.name, kind: z.kind }, grid: c.grid,
    evidence: [{ sha256: hex.repeat(6).slice(0, 64), phase: 'begin', taken_at: at, boxes: [{ x: 0.4, y: 0.42, w: 0.17, h: 0.26 }], size: 81234 }],
    orders: [], raised_at: at, changed_at: at, began_at: ago(age + 190), last_seen_at: now(), ended_at: i % 3 === 1 ? now() : undefined,
  }
  leads.set(lead.id, lead)
  traces.set(lead.id, [{ version: 1, at, by: 'system', to: 'raised' }])
  return lead
}
for (let i = 0; i < 14; i++) raise(i * 5 + 1, 2600 - i * 170)

const next = {
  raised: ['accepted', 'rejected'], accepted: ['raised', 'dispatched', 'transferred', 'closed'], rejected: ['raised'], dispatched: ['acknowledged', 'accepted', 'transferred'],
  acknowledged: ['resolved'], resolved: ['closed', 'dispatched'], transferred: ['accepted', 'closed'], closed: ['reopened'], reopened: ['dispatched'],
}
const me = () => ({
  user: { name: 'officer', role: 'officer', may: ['self', 'read', 'view', 'transition'] }, site: { name: '临江市城市运行中心', time_zone: 'Asia/Shanghai' }, now: now(),
  departments: [['police', '公安', 'Police'], ['fire', '消防救援', 'Fire service'], ['cityman', '综合执法（城管）', 'City management'], ['hotline', '12345 热线', '12345 hotline']]
    .map(([id, name_zh, name_en]) => ({ id, name_zh, name_en })),
  reject_reasons: [['light', '光影、雨雪、蚊虫', 'Light, rain, insects'], ['worker', '作业或值守人员', 'Work in progress'], ['animal', '动物', 'Animal'], ['zone', '区域画得不对', 'Zone drawn wrongly'], ['other', '其他', 'Other']]
    .map(([code, zh, en]) => ({ code, zh, en })),
  close_reasons: [['handled', '已现场处理', 'Handled on the spot'], ['gone', '到场时已消失', 'Gone on arrival'], ['other', '其他', 'Other']].map(([code, zh, en]) => ({ code, zh, en })),
  canary: canary(),
})
const canary = () => ({ ok: true, last_at: ago(21), interval_seconds: 60, detail: '' })

const streams = new Set()
let seq = 0
function tell(event, data) {
  for (const s of streams) s.write(`id: ${++seq}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
}
setInterval(() => {
  for (const c of cameras) {
    if ((c.state === 'online' || c.state === 'degraded') && Date.now() - Date.parse(c.last_sample) > c.interval_seconds * 1000) c.last_sample = now()
  }
  for (const s of streams) s.write(': \n\n')
}, 5000).unref()

function json(res, status, body) {
  res.writeHead(status, { 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json', 'Cache-Control': 'no-store' })
  res.end(JSON.stringify(body))
}
const problem = (res, status, code, more = {}) => json(res, status, { type: 'about:blank', title: code, status, code, ...more })

async function body(req) {
  let text = ''
  for await (const chunk of req) text += chunk
  return text ? JSON.parse(text) : {}
}

async function transition(req, res, id) {
  const lead = leads.get(id)
  if (!lead) return problem(res, 404, 'not_found')
  const r = await body(req)
  if (r.version !== lead.version) return problem(res, 409, 'stale', { state: lead.state, version: lead.version, owner: lead.owner })
  if (!next[lead.state]?.includes(r.to)) return problem(res, 422, 'refused', { allowed: next[lead.state] ?? [] })
  traces.get(id).push({ version: lead.version + 1, at: now(), by: 'officer', from: lead.state, to: r.to, reason: r.reason, note: r.note })
  Object.assign(lead, { state: r.to, version: lead.version + 1, changed_at: now(), owner: 'officer' })
  for (const d of r.departments ?? []) lead.orders.push({ id: `${lead.number}-${d}`, department: d, state: 'sent', sent_at: now(), changed_at: now() })
  tell('lead', lead)
  json(res, 200, lead)
}

async function picture(res) {
  if (!process.env.MOCK_PICTURE) return problem(res, 503, 'audit_unavailable')
  const jpeg = await readFile(process.env.MOCK_PICTURE)
  res.writeHead(200, { 'Content-Type': 'image/jpeg', 'Cache-Control': 'no-store' })
  res.end(jpeg)
}

async function api(req, res, parts, query) {
  const signedIn = req.headers.cookie?.includes('patrol=mock')
  const wants = (name, value) => !query.get(name) || query.get(name).split(',').includes(value)
  if (parts[0] === 'login') {
    const { username, password } = await body(req)
    if (!username || password === 'wrong') return problem(res, 401, 'unauthenticated')
    res.setHeader('Set-Cookie', 'patrol=mock; HttpOnly; SameSite=Strict; Path=/')
    return json(res, 200, { user: me().user })
  }
  if (!signedIn) return problem(res, 401, 'unauthenticated')
  switch (parts[0]) {
    case 'me': return json(res, 200, me())
    case 'logout':
      res.setHeader('Set-Cookie', 'patrol=; Max-Age=0; Path=/')
      return res.writeHead(204).end()
    case 'stream':
      res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
      res.write('retry: 2000\n\n')
      streams.add(res)
      req.on('close', () => streams.delete(res))
      tell('cameras', counts(cameras))
      return tell('canary', canary())
    case 'stats': {
      const by = {}
      for (const l of leads.values()) by[l.state] = (by[l.state] ?? 0) + 1
      return json(res, 200, { now: now(), leads: by, cameras: counts(cameras), raised_today: leads.size })
    }
    case 'leads': {
      if (parts[2] === 'transitions') return transition(req, res, parts[1])
      if (parts[1]) {
        const lead = leads.get(parts[1])
        if (!lead) return problem(res, 404, 'not_found')
        return json(res, 200, { lead, trace: traces.get(lead.id), allowed: next[lead.state] ?? [], camera: cameras.find((c) => c.id === lead.camera.id) })
      }
      const list = [...leads.values()].filter((l) => wants('state', l.state) && wants('camera', l.camera.id)).sort((a, b) => (a.id < b.id ? 1 : -1))
      return json(res, 200, { leads: list })
    }
    case 'cameras': {
      if (parts[2] === 'still.jpg') return picture(res)
      if (parts[1]) {
        const c = cameras.find((c) => c.id === parts[1])
        return c ? json(res, 200, c) : problem(res, 404, 'not_found')
      }
      const q = query.get('q') ?? ''
      const all = cameras.filter((c) => (c.name.includes(q) || c.id.includes(q)) && (!query.get('cell') || c.grid.some((g) => g.id === query.get('cell'))))
      const list = all.filter((c) => wants('state', c.state))
      const from = Number(query.get('cursor') ?? 0)
      const to = from + Number(query.get('limit') ?? 50)
      return json(res, 200, { cameras: list.slice(from, to), next: to < list.length ? String(to) : '', counts: counts(all) })
    }
    case 'evidence': return picture(res)
    case 'grid':
      return json(res, 200, {
        type: 'FeatureCollection',
        features: (cells[query.get('level')] ?? []).map((c) => ({
          type: 'Feature', geometry: { type: 'MultiPolygon', coordinates: [] },
          properties: { ...c, cameras: counts(cameras.filter((x) => x.grid.some((g) => g.id === c.id))), open_leads: 0 },
        })),
      })
    default: return problem(res, 404, 'not_found')
  }
}

const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }

createServer(async (req, res) => {
  const url = new URL(req.url, 'http://mock')
  res.setHeader('Content-Security-Policy', csp)
  res.setHeader('X-Content-Type-Options', 'nosniff')
  const parts = url.pathname.split('/').filter(Boolean).map(decodeURIComponent)
  try {
    if (parts[0] === 'mock') {
      const lead = raise(Math.floor(Math.random() * cameras.length))
      tell('lead', lead)
      return json(res, 200, lead)
    }
    if (parts[0] === 'api') return await api(req, res, parts.slice(2), url.searchParams)
    const name = normalize(url.pathname).slice(1)
    const file = extname(name) ? name : 'index.html'
    const content = await readFile(join(dist, file))
    res.writeHead(200, { 'Content-Type': types[extname(file)] ?? 'application/octet-stream' }).end(content)
  } catch (e) {
    if (!res.headersSent) problem(res, e.code === 'ENOENT' ? 404 : 500, 'internal', { detail: String(e) })
  }
}).listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`))
