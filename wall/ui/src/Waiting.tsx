import { useTranslation } from 'react-i18next'
import { Logo } from './ui/Icons'

/** Waiting is shown before the gateway has answered for the first time. */
export function Waiting({ failed }: { failed: boolean }) {
  const { t } = useTranslation()
  return (
    <main className="login" aria-busy="true">
      <div className="login-card waiting">
        <Logo />
        <p role="status">{failed ? t('waiting.failed') : t('waiting.first')}</p>
      </div>
    </main>
  )
}
