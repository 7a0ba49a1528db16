import { useEffect, useState } from 'react'
import { useWords } from '../i18n/words'
import { lapse, undoWindow, useDesk, useUndo, type Undo } from './desk'

/** UndoBar offers to take the last triage back, and shows how long. */
export function UndoBar() {
  const undo = useUndo()
  return undo ? <Countdown key={undo.until} undo={undo} /> : null
}

function Countdown({ undo }: { undo: Undo }) {
  const { t, leadState } = useWords()
  const { takeBack } = useDesk()
  const [left, setLeft] = useState(() => undo.until - Date.now())
  useEffect(() => {
    const timer = setInterval(() => {
      const ms = undo.until - Date.now()
      if (ms <= 0) lapse(undo)
      else setLeft(ms)
    }, 200)
    return () => clearInterval(timer)
  }, [undo])
  return (
    <div className="undo">
      <span role="status">{t('desk.did', { number: undo.lead.number, state: leadState(undo.to) })}</span>
      <button type="button" className="button" onClick={() => void takeBack()}>
        {t('action.undo')}<kbd>U</kbd><span className="num" aria-hidden="true">{t('span.second', { big: Math.ceil(left / 1000), small: 0 })}</span>
      </button>
      <span className="undo-left" aria-hidden="true" style={{ transform: `scaleX(${Math.max(0, left / undoWindow)})` }} />
    </div>
  )
}
