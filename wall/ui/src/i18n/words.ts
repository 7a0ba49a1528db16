// Words for the closed sets that the gateway speaks in. A word that this page
// does not know yet is shown as it came.
import { useTranslation } from 'react-i18next'
import type { Code, Me } from '../api/types'
import { said } from './index'

export function useWords() {
  const { t, i18n } = useTranslation()
  // Text that people wrote can stand where a code does; it is never a template.
  const word = (set: string, code: string) => {
    const key = `${set}.${code}`
    return /^[a-z_]+$/.test(code) && i18n.exists(key) ? (t(key as never) as unknown as string) : code
  }
  return {
    t,
    leadState: (s: string) => word('leadState', s),
    orderState: (s: string) => word('orderState', s),
    orderDo: (s: string) => word('orderDo', s),
    part: (s: string) => word('part', s),
    stage: (s: string) => word('stage', s),
    quiet: (s: string) => word('quiet', s),
    blind: (s: string) => word('blind', s),
    act: (s: string) => word('act', s),
    kind: (s: string) => word('kind', s),
    severity: (s: string) => word('severity', s),
    zoneKind: (s: string) => word('zoneKind', s),
    phase: (s: string) => word('phase', s),
    cameraState: (s: string) => word('cameraState', s),
    cameraReason: (s: string) => (s === '' ? '' : word('cameraReason', s)),
    ruleState: (s: string) => word('ruleState', s),
    mode: (s: string) => word('mode', s),
    tier: (s: string) => word('tier', s),
    role: (s: string) => word('role', s),
    reason: (code: string) => word('reason', code),
    problem: (code: string) => word('problem', code),
  }
}

/** reasonWords is a transition's reason in words: a code of the site, or free text. */
export function reasonWords(me: Me, reason: string): string {
  const find = (list: Code[]) => list.find((r) => r.code === reason)
  const known = find(me.reject_reasons) ?? find(me.close_reasons)
  return known ? said(known) : reason
}

/** departmentName is a department in words, or its id once it is gone. */
export function departmentName(me: Me, id: string): string {
  const d = me.departments.find((d) => d.id === id)
  return d ? said({ zh: d.name_zh, en: d.name_en }) : id
}
