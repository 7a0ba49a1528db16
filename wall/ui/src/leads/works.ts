// What is done to a lead besides moving it: who has it, and what departments
// say of their orders. The gateway's answer is shown; nothing is guessed.
import { useQueryClient } from '@tanstack/react-query'
import { useCallback, useState } from 'react'
import { path, post, Problem } from '../api/client'
import type { ClaimAct, Lead, OrderState } from '../api/types'
import { useWords } from '../i18n/words'
import { store } from '../live/store'
import { notify } from '../ui/notices'

/** useWorks returns what can be done to a lead, and whether it is being done. */
export function useWorks(lead: Lead) {
  const client = useQueryClient()
  const { t, leadState, problem } = useWords()
  const [busy, setBusy] = useState(false)

  const send = useCallback(async (where: string[], body: unknown) => {
    setBusy(true)
    try {
      store.put([await post<Lead>(path(['leads', lead.id, ...where]), body)])
      return true
    } catch (e) {
      const p = e instanceof Problem ? e : new Problem(0)
      notify('bad', p.status === 409
        ? t('desk.taken', { number: lead.number, owner: p.owner || '—', state: leadState(p.state ?? '') })
        : t('desk.failed', { number: lead.number, why: problem(p.code) }))
      return false
    } finally {
      setBusy(false)
      void client.invalidateQueries({ queryKey: ['lead', lead.id] })
      void client.invalidateQueries({ queryKey: ['orders'] })
    }
  }, [client, lead, t, leadState, problem])

  return {
    busy,
    claim: (act: ClaimAct, reason?: string) => send(['owner'], { act, reason, version: lead.version }),
    order: (order: string, to: OrderState, words: { reason?: string; note?: string } = {}) =>
      send(['orders', order, 'transitions'], { to, ...words }),
  }
}
