import { memoryDatabase } from '../support/database.ts'
import { tellPricing } from './pricing.ts'

tellPricing(() => memoryDatabase())
