// The shapes that the gateway's API speaks, under the names the page uses.
// They are generated from its own description: `npm run api`.
import type { components } from '../api.gen'

type Schemas = components['schemas']

export type Lead = Schemas['Lead']
export type LeadState = Lead['state']
export type Kind = Lead['kind']
export type Severity = Lead['severity']
export type Evidence = Schemas['Evidence']
export type Step = Schemas['Step']
export type Order = Schemas['Order']
export type OrderState = Order['state']
export type LeadOrder = Schemas['LeadOrder']
export type OrderPage = Schemas['OrderList']
export type ClaimAct = Schemas['ClaimRequest']['act']
export type GridRef = Schemas['GridRef']
export type LeadDetail = Schemas['LeadDetail']
export type LeadPage = Schemas['LeadList']
export type Transition = Schemas['TransitionRequest']

export type CameraView = Schemas['CameraView']
export type CameraState = CameraView['state']
export type Explanation = Schemas['Explanation']
export type CameraPage = Schemas['CameraList']
export type StateCounts = Partial<Record<CameraState, number>>
export type GridFeatures = Schemas['GridFeatures']
export type GridProperties = Schemas['GridProperties']

export type Me = Schemas['Me']
export type Action = Schemas['User']['may'][number]
export type Canary = Schemas['CanaryStatus']
export type Code = Schemas['ReasonCode']
export type Statistics = Schemas['Statistics']
export type Tally = Schemas['Tally']
export type Spread = Schemas['Spread']
export type Shelf = Schemas['Shelf']
export type ShelfList = Schemas['ShelfList']
export type Handover = Schemas['Handover']
export type HandoverList = Schemas['HandoverList']
export type Stats = Schemas['Stats']
export type Problem = Schemas['Problem']
