import { useTranslation } from 'react-i18next'
import { Logo } from './ui/Icons'

/** Waiting is shown before the gateway has answered for the first time, and while it is told that somebody leaves. */
export function Waiting({ what }: { what: 'first' | 'failed' | 'leaving' }) {
  const { t } = useTranslation()
  return (
    <main className="login" aria-busy="true">
      <div className="login-card waiting">
        <Logo />
        <p role="status">{t(`waiting.${what}`)}</p>
      </div>
    </main>
  )
}
