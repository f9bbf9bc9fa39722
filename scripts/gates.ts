/** What `npm run check` runs, and for each gate a file that it must refuse. */
export type Gate = {
  name: string
  command: readonly [string, ...string[]]
  planted: { path: string; text: string }
}

export const GATES: readonly Gate[] = [
  {
    name: 'format',
    command: ['oxfmt', '--check', '.'],
    planted: { path: 'src/kernel/planted.ts', text: 'export const  planted   =  1;;\n' },
  },
  {
    name: 'lint',
    command: ['oxlint', '--type-aware', '--deny-warnings'],
    planted: {
      path: 'src/kernel/planted.ts',
      text: 'async function later(): Promise<void> {}\n\nexport function planted(): void {\n  later()\n}\n',
    },
  },
  {
    name: 'types',
    command: ['tsc', '--project', 'tsconfig.json'],
    planted: { path: 'src/kernel/planted.ts', text: "export const planted: number = 'one'\n" },
  },
  {
    name: 'dead code',
    command: ['knip', '--no-progress'],
    planted: { path: 'src/kernel/planted.ts', text: 'export const planted = 1\n' },
  },
  {
    name: 'generated files',
    command: ['node', 'scripts/generate.ts', '--check'],
    planted: { path: 'db/types.ts', text: 'export interface DB {}\n' },
  },
  {
    name: 'tidy',
    command: ['node', '--test', 'test/tidy.test.ts'],
    planted: { path: 'src/kernel/planted.ts', text: 'export const planted = new Date()\n' },
  },
]
