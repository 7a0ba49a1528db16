import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import en from './en.json'
import zh from './zh-CN.json'

export const languages = ['zh-CN', 'en'] as const
export type Language = (typeof languages)[number]

const kept = 'patrol.language'

function preferred(): Language {
  return localStorage.getItem(kept) === 'en' ? 'en' : 'zh-CN'
}

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'translation'
    resources: { translation: typeof zh }
  }
}

void i18next.use(initReactI18next).init({
  resources: { 'zh-CN': { translation: zh }, en: { translation: en } },
  lng: preferred(),
  fallbackLng: 'en',
  interpolation: { escapeValue: false },
  initAsync: false,
  showSupportNotice: false,
})
document.documentElement.lang = preferred()

/** setLanguage switches the page and remembers it on this machine. */
export function setLanguage(l: Language) {
  localStorage.setItem(kept, l)
  document.documentElement.lang = l
  void i18next.changeLanguage(l)
}

/** chinese tells which of two texts that the gateway sends the page shows. */
export const chinese = () => i18next.language !== 'en'

/** said picks a sentence that exists in both languages. */
export const said = (t: { zh: string; en: string }) => (chinese() ? t.zh || t.en : t.en || t.zh)

export default i18next
