import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { setLanguage } from '../i18n'

/** LanguageSwitch names the other language in that language. */
export function LanguageSwitch() {
  const { t, i18n } = useTranslation()
  const other = i18n.language === 'en' ? 'zh-CN' : 'en'
  return (
    <button type="button" className="quiet" lang={other} onClick={() => setLanguage(other)}>
      {t('otherLanguage')}
    </button>
  )
}

const kept = 'patrol.theme'
type Theme = 'dark' | 'light'

/** applyTheme sets the theme that this machine remembers; dark unless told otherwise. */
export function applyTheme(): Theme {
  const theme = localStorage.getItem(kept) === 'light' ? 'light' : 'dark'
  document.documentElement.dataset.theme = theme
  return theme
}

export function ThemeSwitch() {
  const { t } = useTranslation()
  const [theme, setTheme] = useState(applyTheme)
  const other: Theme = theme === 'dark' ? 'light' : 'dark'
  function change() {
    localStorage.setItem(kept, other)
    setTheme(applyTheme())
  }
  return (
    <button type="button" className="quiet" onClick={change}>
      {other === 'dark' ? t('theme.dark') : t('theme.light')}
    </button>
  )
}
