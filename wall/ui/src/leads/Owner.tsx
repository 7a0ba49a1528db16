import { useState } from 'react'
import type { Lead } from '../api/types'
import { useWords } from '../i18n/words'
import { useMay, useMe } from '../session'
import { tabOf } from './states'
import { useWorks } from './works'

/** Owner tells who has a lead, and lets a person claim, release or take it over. */
export function Owner({ lead }: { lead: Lead }) {
  const { t } = useWords()
  const me = useMe()
  const may = useMay('transition')
  const { busy, claim } = useWorks(lead)
  const [asking, setAsking] = useState(false)
  const [reason, setReason] = useState('')
  const open = may && tabOf(lead.state) !== 'done'
  const mine = lead.owner === me.user.name
  return (
    <>
      {lead.owner || t('owner.none')}
      {open && !lead.owner && <button type="button" className="quiet" disabled={busy} onClick={() => void claim('claimed')}>{t('owner.claim')}</button>}
      {open && mine && <button type="button" className="quiet" disabled={busy} onClick={() => void claim('released')}>{t('owner.release')}</button>}
      {open && lead.owner && !mine && !asking && (
        <button type="button" className="quiet" onClick={() => setAsking(true)}>{t('owner.takeOver')}</button>
      )}
      {open && lead.owner && !mine && asking && (
        <form className="inline" onSubmit={(e) => {
          e.preventDefault()
          if (reason.trim()) void claim('taken_over', reason.trim()).then((ok) => { if (ok) setAsking(false) })
        }}>
          <input value={reason} onChange={(e) => setReason(e.target.value)} maxLength={66} required autoFocus aria-label={t('decide.reason')} placeholder={t('decide.reason')} />
          <button type="submit" className="quiet" disabled={busy || !reason.trim()}>{t('owner.takeOver')}</button>
        </form>
      )}
    </>
  )
}
