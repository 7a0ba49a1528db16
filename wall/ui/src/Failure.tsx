import { Component, type ErrorInfo, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

/** Failure catches what the page did not expect: an officer sees words and a way on, never an empty screen. */
export class Failure extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {}

  static getDerivedStateFromError(error: Error) {
    return { error }
  }

  override componentDidCatch(error: Error, info: ErrorInfo) {
    console.error('the page failed', error, info.componentStack)
  }

  override render() {
    return this.state.error ? <Broken error={this.state.error} /> : this.props.children
  }
}

function Broken({ error }: { error: Error }) {
  const { t } = useTranslation()
  return (
    <main className="failure" role="alert">
      <h1>{t('failure.title')}</h1>
      <p>{t('failure.hint')}</p>
      <pre>{String(error)}</pre>
      <button type="button" className="button primary" onClick={() => location.reload()}>{t('failure.reload')}</button>
    </main>
  )
}
