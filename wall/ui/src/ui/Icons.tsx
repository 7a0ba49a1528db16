import type { CameraState, Severity } from '../api/types'

/** SeverityMark tells severity by shape; the colour and a word stand beside it. */
export function SeverityMark({ severity }: { severity: Severity }) {
  return (
    <svg className={`mark sev-${severity}`} viewBox="0 0 16 16" aria-hidden="true">
      {severity === 'high' && <><path d="M8 1 15.5 14.5H.5z" /><path className="mark-ink" d="M7.1 5.5h1.8v4.6H7.1zM7.1 11.2h1.8V13H7.1z" /></>}
      {severity === 'medium' && <path d="M8 .8 15.2 8 8 15.2.8 8z" />}
      {severity === 'low' && <circle cx="8" cy="8" r="6" />}
    </svg>
  )
}

/** StateMark tells a camera's state by shape. */
export function StateMark({ state }: { state: CameraState }) {
  return (
    <svg className={`mark cam-${state}`} viewBox="0 0 16 16" aria-hidden="true">
      {state === 'online' && <circle cx="8" cy="8" r="5.5" />}
      {state === 'degraded' && <path d="M8 1.5 15 14H1z" />}
      {state === 'offline' && <path d="M3.2 1.4 8 6.2l4.8-4.8 1.8 1.8L9.8 8l4.8 4.8-1.8 1.8L8 9.8l-4.8 4.8-1.8-1.8L6.2 8 1.4 3.2z" />}
      {state === 'unknown' && <circle className="hollow" cx="8" cy="8" r="5" />}
      {state === 'disabled' && <path d="M2 6.6h12v2.8H2z" />}
    </svg>
  )
}

/** Lamp is round for well and a triangle for not well. */
export function Lamp({ ok }: { ok: boolean }) {
  return (
    <svg className={`mark ${ok ? 'lamp-ok' : 'lamp-bad'}`} viewBox="0 0 16 16" aria-hidden="true">
      {ok ? <circle cx="8" cy="8" r="5" /> : <path d="M8 1.5 15 14H1z" />}
    </svg>
  )
}

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      <path className="logo-eye" d="M3 16s5-8 13-8 13 8 13 8-5 8-13 8S3 16 3 16z" />
      <circle className="logo-pupil" cx="16" cy="16" r="4.2" />
    </svg>
  )
}
