import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { I18nProvider } from 'react-aria-components'
import { useTranslation } from 'react-i18next'
import { App } from './App'
import { Failure } from './Failure'
import './i18n'
import { Session } from './session'
import './styles.css'
import { Notices } from './ui/notices'
import { applyTheme } from './ui/Switches'

applyTheme()

const client = new QueryClient({
  defaultOptions: { queries: { refetchOnWindowFocus: false, networkMode: 'always' }, mutations: { networkMode: 'always' } },
})

function Root() {
  const { i18n } = useTranslation()
  return (
    <I18nProvider locale={i18n.language}>
      <QueryClientProvider client={client}>
        <Failure><Session><App /></Session></Failure>
        <Notices />
      </QueryClientProvider>
    </I18nProvider>
  )
}

createRoot(document.getElementById('root')!).render(<StrictMode><Root /></StrictMode>)
