import { useState } from 'react'
import { Link } from 'wouter'
import { path, post, Problem } from '../api/client'
import type { Lead, Shelf } from '../api/types'
import { useWords } from '../i18n/words'
import { gatewayNow } from '../live/hooks'
import { useMay } from '../session'
import { notify } from '../ui/notices'

/** hours is for how long a source may be quieted; the gateway allows eight at most. */
const hours = [1, 2, 4, 8]

/** Shelve quiets what raised a lead, at its camera, for some hours and with a reason. */
export function Shelve({ lead }: { lead: Lead }) {
  const { t, problem } = useWords()
  const may = useMay('transition')
  const [asking, setAsking] = useState(false)
  const [busy, setBusy] = useState(false)
  const [reason, setReason] = useState('')
  const [lasts, setLasts] = useState(1)
  if (!may || lead.kind === 'camera_fault') return null
  if (!asking) return <button type="button" className="quiet" onClick={() => setAsking(true)}>{t('shelve.open')}</button>
  const shelve = async () => {
    setBusy(true)
    try {
      await post<Shelf>(path(['shelves']), {
        camera: lead.camera.id, zone: lead.zone.id, rule: lead.rule.id, reason: reason.trim(),
        to: new Date(gatewayNow() + lasts * 3_600_000 - 1000).toISOString(),
      })
      notify('info', t('shelve.done', { count: lasts }))
      setAsking(false)
      setReason('')
    } catch (e) {
      notify('bad', t('shift.failed', { why: problem(e instanceof Problem ? e.code : 'unreachable') }))
    } finally {
      setBusy(false)
    }
  }
  return (
    <form className="inline" onSubmit={(e) => { e.preventDefault(); if (reason.trim()) void shelve() }}>
      <input value={reason} onChange={(e) => setReason(e.target.value)} maxLength={66} required autoFocus aria-label={t('decide.reason')} placeholder={t('decide.reason')} />
      <select aria-label={t('shelve.for')} value={lasts} onChange={(e) => setLasts(Number(e.target.value))}>
        {hours.map((h) => <option key={h} value={h}>{t('shelve.hours', { count: h })}</option>)}
      </select>
      <button type="submit" className="button" disabled={busy || !reason.trim()}>{t('shelve.submit')}</button>
      <Link href="/shift" className="small">{t('shift.shelves')}</Link>
    </form>
  )
}
