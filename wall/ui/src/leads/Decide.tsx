import { useEffect, useState } from 'react'
import type { Code, Lead } from '../api/types'
import { said } from '../i18n'
import { departmentName, useWords } from '../i18n/words'
import { digitOf, typing } from '../keys'
import { useMe } from '../session'
import { Sheet } from '../ui/Sheet'
import type { Offer } from './actions'
import type { Request } from './desk'
import { useLead } from './useLead'

type Props = { offer: Offer; lead: Lead; onDecide: (r: Request) => void; onClose: () => void }

// The gateway takes 200 and 2,000 bytes, and a Chinese character is three of them.
const maxWords = 66
const maxNote = 660

/** useDigits hands 1..9 to a function as long as the sheet is open. */
function useDigits(choose: (i: number) => void) {
  useEffect(() => {
    function onKey(e: KeyboardEvent) {
      const n = digitOf(e)
      if (n === undefined || typing(e.target) && !(e.target instanceof HTMLInputElement && e.target.type === 'checkbox')) return
      e.preventDefault()
      choose(n - 1)
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  })
}

/** Decide asks what a transition needs to know. */
export function Decide(p: Props) {
  const { t } = useWords()
  const me = useMe()
  const title = `${t(`action.${p.offer.name}`)} #${p.lead.number}`
  return (
    <Sheet title={title} onClose={p.onClose} aside>
      {p.offer.ask === 'rejectReason' && <Reasons {...p} reasons={me.reject_reasons} />}
      {p.offer.ask === 'closeReason' && <Reasons {...p} reasons={me.close_reasons} />}
      {p.offer.ask === 'departments' && <Departments {...p} />}
      {p.offer.ask === 'words' && <Words {...p} />}
    </Sheet>
  )
}

function Reasons({ reasons, onDecide, onClose }: Props & { reasons: Code[] }) {
  const { t } = useWords()
  const [note, setNote] = useState('')
  const decide = (r: Code | undefined) => { if (r) onDecide({ reason: r.code, note: note.trim() || undefined }) }
  useDigits((i) => decide(reasons[i]))
  return (
    <>
      <p className="muted">{t('decide.reasonHint')}</p>
      <ol className="choices">
        {reasons.map((r, i) => (
          <li key={r.code}>
            <button type="button" className="choice" autoFocus={i === 0} onClick={() => decide(r)}>
              <kbd>{i < 9 ? i + 1 : ''}</kbd><span>{said(r)}</span>
            </button>
          </li>
        ))}
      </ol>
      <Note value={note} onChange={setNote} />
      <div className="sheet-foot"><Cancel onClose={onClose} /></div>
    </>
  )
}

/** Departments are ticked as the routes propose; the officer decides. */
function Departments({ lead, onDecide, onClose }: Props) {
  const { t } = useWords()
  const me = useMe()
  const proposal = useLead(lead.id).detail?.proposal
  const proposed = proposal?.lead ? [proposal.lead, ...proposal.joint] : []
  const first = (id: string) => { const i = proposed.indexOf(id); return i < 0 ? proposed.length : i }
  const all = me.departments.toSorted((a, b) => first(a.id) - first(b.id))
  const [changed, setChosen] = useState<string[]>()
  const chosen = changed ?? proposed
  const [note, setNote] = useState('')
  const toggle = (id: string | undefined) => {
    if (id) setChosen(chosen.includes(id) ? chosen.filter((x) => x !== id) : [...chosen, id])
  }
  useDigits((i) => toggle(all[i]?.id))
  return (
    <form onSubmit={(e) => {
      e.preventDefault()
      if (chosen.length > 0) {
        // Who does the work needs no copy.
        onDecide({ departments: chosen, copies: proposal?.copies.filter((c) => !chosen.includes(c)), note: note.trim() || undefined })
      }
    }}>
      <p className="muted">{t('decide.departmentsHint')}</p>
      <ol className="choices">
        {all.map((d, i) => (
          <li key={d.id}>
            <label className="choice">
              <kbd>{i < 9 ? i + 1 : ''}</kbd>
              <input type="checkbox" autoFocus={i === 0} checked={chosen.includes(d.id)} onChange={() => toggle(d.id)} />
              <span>{departmentName(me, d.id)}</span>
            </label>
          </li>
        ))}
      </ol>
      <Note value={note} onChange={setNote} />
      <div className="sheet-foot">
        <Cancel onClose={onClose} />
        <button type="submit" className="button primary" disabled={chosen.length === 0}>
          {t('decide.send', { count: chosen.length })}<kbd>Enter</kbd>
        </button>
      </div>
    </form>
  )
}

function Words({ offer, onDecide, onClose }: Props) {
  const { t } = useWords()
  const [reason, setReason] = useState('')
  return (
    <form onSubmit={(e) => {
      e.preventDefault()
      const words = reason.trim()
      if (words) onDecide(offer.reason ? { reason: offer.reason, note: words } : { reason: words })
    }}>
      <label className="field">
        <span>{t('decide.reason')}</span>
        <input value={reason} onChange={(e) => setReason(e.target.value)} maxLength={maxWords} required autoFocus />
      </label>
      <p className="muted small">{t('decide.noNames')}</p>
      <div className="sheet-foot">
        <Cancel onClose={onClose} />
        <button type="submit" className="button primary" disabled={!reason.trim()}>{t(`action.${offer.name}`)}<kbd>Enter</kbd></button>
      </div>
    </form>
  )
}

function Note({ value, onChange }: { value: string; onChange: (v: string) => void }) {
  const { t } = useWords()
  return (
    <label className="field">
      <span>{t('decide.note')}</span>
      <textarea rows={2} value={value} maxLength={maxNote} onChange={(e) => onChange(e.target.value)} />
      <span className="muted small">{t('decide.noNames')}</span>
    </label>
  )
}

function Cancel({ onClose }: { onClose: () => void }) {
  const { t } = useWords()
  return <button type="button" className="button" onClick={onClose}>{t('decide.cancel')}<kbd>Esc</kbd></button>
}
