import t from 'tap'
import { FileClassifier } from '../../lib/mail/file-class.ts'

const classOf = (path: string): string => new FileClassifier().ruleFor(path).fileClass

t.test('index, control and lock files are kept in history', async t => {
  for (const name of [
    'INBOX/dovecot.index',
    'INBOX/dovecot.index.log.2',
    'anna/dovecot.list.index',
    'anna/dovecot.map.index.log',
    'anna/dovecot-uidlist',
    'anna/dovecot-uidvalidity.4f',
    'INBOX/dovecot-keywords',
    'anna/subscriptions',
    'anna/mailboxes.lock',
    'sieve/rules.sieve'
  ]) {
    t.equal(classOf(name), 'log', name)
  }
})

t.test('messages of maildir, sdbox and mdbox are bodies', async t => {
  for (const name of ['cur/1.2.host:2,S', 'new/1', 'tmp/1', 'dbox-Mails/u.7', 'storage/m.3']) {
    t.equal(classOf(name), 'blob', name)
  }
})

t.test('everything else is decided by its size', async t => {
  for (const name of ['anna/notes.txt', 'curious/x', 'anna/um.1', 'anna/xdovecot.index']) {
    t.equal(classOf(name), 'general', name)
  }
})

t.test('nobody locks a message, but a storage file of mdbox', async t => {
  const classifier = new FileClassifier()
  t.ok(classifier.ruleFor('cur/1').lockless)
  t.notOk(classifier.ruleFor('storage/m.1').lockless)
  t.notOk(classifier.ruleFor('INBOX/dovecot.index.log').lockless)
})

t.test('the first rule that matches counts, and bytes that are no letters match too', async t => {
  const classifier = new FileClassifier([
    { pattern: '*.keep', fileClass: 'log', lockless: false },
    { pattern: 'cur/*', fileClass: 'blob', lockless: true },
    { pattern: '/only/here', fileClass: 'log', lockless: false }
  ])
  t.equal(classifier.ruleFor('cur/a.keep').fileClass, 'log')
  t.equal(classifier.ruleFor('cur/\n\xff').fileClass, 'blob')
  t.equal(classifier.ruleFor('only/here').fileClass, 'log')
  t.equal(classifier.ruleFor('not/only/here').fileClass, 'general')
})
