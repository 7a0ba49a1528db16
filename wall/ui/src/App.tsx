import { useEffect, useState } from 'react'
import { Link, Route, Switch, useLocation } from 'wouter'
import { CamerasPage } from './cameras/CamerasPage'
import { ReportPage } from './desk/ReportPage'
import { ShiftPage } from './desk/ShiftPage'
import { Help } from './Help'
import { useWords } from './i18n/words'
import { useCommands } from './keys'
import { useCounts } from './leads/useCounts'
import { WallPage } from './leads/WallPage'
import { useLive, useNow } from './live/hooks'
import { tested } from './live/store'
import { DepartmentPage } from './orders/DepartmentPage'
import { useLeave, useMay, useMe } from './session'
import { useSpanWords } from './ui/Age'
import { Lamp, Logo } from './ui/Icons'
import { LanguageSwitch, ThemeSwitch } from './ui/Switches'
import { clock } from './ui/time'

/** App is the desk, or for who belongs to a department its orders alone. */
export function App() {
  return useMay('read') ? <Desk /> : (
    <div className="frame">
      <Bar />
      <DepartmentPage />
    </div>
  )
}

function Desk() {
  const { t } = useWords()
  const [help, setHelp] = useState(false)
  const counts = useCounts()
  const raised = counts?.triage ?? 0
  useEffect(() => {
    document.title = (raised > 0 ? `(${raised}) ` : '') + t('product')
  }, [raised, t])
  useCommands((c) => {
    if (c !== 'help') return false
    setHelp(true)
    return true
  })
  return (
    <div className="frame">
      <Bar desk={{ raised, onHelp: () => setHelp(true) }} />
      <Banners />
      <Switch>
        <Route path="/"><WallPage /></Route>
        <Route path="/leads/:id">{(p) => <WallPage id={p.id} />}</Route>
        <Route path="/cameras"><CamerasPage /></Route>
        <Route path="/cameras/:id">{(p) => <CamerasPage id={p.id} />}</Route>
        <Route path="/shift"><ShiftPage /></Route>
        <Route path="/report"><ReportPage /></Route>
        <Route><main className="overview"><p>{t('noPage')}</p><Link href="/">{t('nav.leads')}</Link></main></Route>
      </Switch>
      {help && <Help onClose={() => setHelp(false)} />}
    </div>
  )
}

function Bar({ desk }: { desk?: { raised: number; onHelp: () => void } }) {
  const { t, role } = useWords()
  const me = useMe()
  const live = useLive()
  const leave = useLeave()
  const [at] = useLocation()
  const here = ['/cameras', '/shift', '/report'].find((p) => at.startsWith(p)) ?? '/'
  const page = (p: string) => here === p ? 'page' : undefined

  return (
    <header className="bar">
      <Link href="/" className="brand"><Logo /><b>{t('product')}</b><span className="muted">{me.site.name}</span></Link>
      {desk && (
        <nav className="nav" aria-label={t('nav.title')}>
          <Link href="/" aria-current={page('/')}>{t('nav.leads')}{desk.raised > 0 && <span className="num count">{desk.raised}</span>}</Link>
          <Link href="/cameras" aria-current={page('/cameras')}>{t('nav.cameras')}</Link>
          <Link href="/shift" aria-current={page('/shift')}>{t('nav.shift')}</Link>
          <Link href="/report" aria-current={page('/report')}>{t('nav.report')}</Link>
        </nav>
      )}
      <div className="bar-right">
        {desk && <span className="lamp"><Lamp ok={live.link === 'open'} />{live.link === 'open' ? t('link.open') : t('link.lost')}</span>}
        {desk && live.canary && live.link !== 'lost' && <span className="lamp">{tested(live.canary) ? <><Lamp ok={live.canary.ok} />{live.canary.ok ? t('canary.ok') : t('canary.bad')}</> : <span className="muted">{t('canary.off')}</span>}</span>}
        <SiteClock />
        <LanguageSwitch />
        <ThemeSwitch />
        {desk && <button type="button" className="quiet" onClick={desk.onHelp}>{t('help.open')}<kbd>?</kbd></button>}
        <span className="who">{me.user.name} <span className="muted">{role(me.user.role)}</span></span>
        <button type="button" className="quiet" onClick={leave}>{t('logout')}</button>
      </div>
    </header>
  )
}

function SiteClock() {
  const now = useNow()
  const me = useMe()
  return <time className="num site-clock">{clock(now, me.site.time_zone)}</time>
}

/** patience is how long the stream may be down before it is worth a banner. */
const patience = 5

/** Banners say that what is on the screen may be old, or that quiet proves nothing. */
function Banners() {
  const { t } = useWords()
  const live = useLive()
  const words = useSpanWords()
  useNow() // silence grows without any news
  const silence = (Date.now() - live.heard) / 1000
  const late = live.link !== 'open' && silence > patience
  const canary = live.canary
  return (
    <div role="alert">
      {late && <p className="banner banner-bad"><Lamp ok={false} /><b aria-hidden="true">{t('link.banner', { age: words(silence) })}</b><span className="hidden">{t('link.spoken')}</span></p>}
      {canary && !canary.ok && <p className="banner"><Lamp ok={false} /><b>{t('canary.banner')}</b> <span className="muted">{canary.detail}</span></p>}
    </div>
  )
}
