import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import en from './en.json'
import zh from './zh-CN.json'

type Tree = { [key: string]: string | Tree }

function flat(tree: Tree, prefix = ''): Map<string, string> {
  const out = new Map<string, string>()
  for (const [k, v] of Object.entries(tree)) {
    if (typeof v === 'string') out.set(prefix + k, v)
    else for (const [kk, vv] of flat(v, `${prefix}${k}.`)) out.set(kk, vv)
  }
  return out
}

const chinese = flat(zh)
const english = flat(en)
const han = /\p{Script=Han}/u
const slots = (s: string) => [...s.matchAll(/\{\{\w+\}\}/g)].map((m) => m[0]).toSorted()

describe('the two languages', () => {
  it('have the same keys', () => expect([...english.keys()].toSorted()).toEqual([...chinese.keys()].toSorted()))
  it('say something for every key, with the same values in it', () => {
    for (const [k, v] of chinese) {
      expect(v.trim(), k).not.toBe('')
      expect(english.get(k)?.trim(), k).not.toBe('')
      expect(slots(english.get(k)!), k).toEqual(slots(v))
    }
  })
  it('are what they say they are', () => {
    for (const [k, v] of english) if (k !== 'otherLanguage') expect(han.test(v), k).toBe(false)
  })
})

describe('the source', () => {
  const root = 'src/'
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((f) => /\.tsx?$/.test(f) && !/\.test\.|testlead|api\.gen/.test(f))
  it('holds no Chinese and no way round React\'s escaping', () => {
    expect(files.length).toBeGreaterThan(20)
    for (const f of files) {
      const source = readFileSync(root + f, 'utf8')
      expect(han.test(source), `${f} holds Chinese text; it belongs in zh-CN.json`).toBe(false)
      expect(/dangerouslySetInnerHTML|innerHTML|outerHTML|insertAdjacentHTML|document\.write/.test(source), f).toBe(false)
    }
  })
})

// A word that the gateway learns must be learned here too.
describe('the words of the gateway', () => {
  const go = (file: string) => readFileSync(`../../${file}`, 'utf8')
  it.each([
    ['leadState', 'alerts/lead.go', /LeadState = "(\w+)"/g, 11],
    ['orderState', 'alerts/order.go', /OrderState = "(\w+)"/g, 5],
    ['part', 'alerts/order.go', /Part = "(\w+)"/g, 3],
    ['act', 'alerts/act.go', /Act = "(\w+)"/g, 19],
    ['quiet', 'alerts/quiet.go', /QuietRule = "(\w+)"/g, 7],
    ['blind', 'alerts/sight.go', /Blindness = "(\w+)"/g, 2],
    ['stage', 'alerts/clock.go', /Stage = "(\w+)"/g, 5],
    ['kind', 'alerts/kinds.go', /detect\.Kind = "(\w+)"/g, 1],
    ['severity', 'alerts/lead.go', /Severity = "(\w+)"/g, 3],
    ['cameraState', 'streams/status.go', /State = "(\w+)"/g, 5],
    ['cameraReason', 'streams/status.go', /\sReason = "(\w+)"/g, 19],
    ['kind', 'detect/finding.go', /Kind = "(\w+)"/g, 10],
    ['phase', 'detect/finding.go', /Phase = "(\w+)"/g, 3],
    ['zoneKind', 'inventory/camera.go', /ZoneKind = "(\w+)"/g, 8],
    ['tier', 'inventory/camera.go', /Tier = "(\w+)"/g, 3],
    ['role', 'wall/access.go', /Role = "(\w+)"/g, 6],
  ])('%s of %s all have one', (set, file, pattern, atLeast) => {
    const words = [...go(file).matchAll(pattern)].map((m) => m[1]!)
    expect(words.length).toBeGreaterThanOrEqual(atLeast)
    for (const w of words) expect(chinese.has(`${set}.${w}`), `${set}.${w}`).toBe(true)
  })
  it('problem codes all have one', () => {
    const codes = /one of: ([\s\S]+?)\.\n/.exec(go('wall/problem.go'))![1]!.replaceAll(/\/\/|\s/g, '').split(',')
    expect(codes.length).toBeGreaterThan(8)
    for (const c of codes) expect(chinese.has(`problem.${c}`), c).toBe(true)
  })
})
