import { memoryDatabase } from '../support/database.ts'
import { tellStories } from './stories.ts'

tellStories(() => memoryDatabase())
