import { useEffect, useState, type SubmitEvent } from 'react'
import { path, post, Problem } from './api/client'
import { useWords } from './i18n/words'
import { LanguageSwitch } from './ui/Switches'
import { Logo } from './ui/Icons'

export function Login({ onDone }: { onDone: () => void }) {
  const { t, problem } = useWords()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState('')

  useEffect(() => { document.title = t('product') }, [t])

  async function submit(e: SubmitEvent<HTMLFormElement>) {
    e.preventDefault()
    const form = new FormData(e.currentTarget)
    setBusy(true)
    setError('')
    try {
      await post(path(['login']), { username: form.get('username'), password: form.get('password') })
      onDone()
    } catch (err) {
      const p = err as Problem
      setError(p.status === 401 ? t('login.wrong') : problem(p.code))
      setBusy(false)
    }
  }

  return (
    <main className="login">
      <form className="login-card" onSubmit={(e) => void submit(e)}>
        <Logo />
        <h1>{t('product')}</h1>
        <p className="muted">{t('login.promise')}</p>
        <label>
          <span>{t('login.username')}</span>
          <input name="username" autoComplete="username" required maxLength={64} autoFocus spellCheck={false} autoCapitalize="none" />
        </label>
        <label>
          <span>{t('login.password')}</span>
          <input name="password" type="password" autoComplete="current-password" required maxLength={1024} />
        </label>
        <p className="login-error" role="alert">{error}</p>
        <button type="submit" className="button primary" disabled={busy}>{t('login.enter')}</button>
        <p className="muted small">{t('login.audited')}</p>
        <LanguageSwitch />
      </form>
    </main>
  )
}
