-- 0008: each life of the log has a name that no other one has.
-- Why: a copy of the server's files that is put back twice began two lives of the same name.
-- Locks: none that matter.
-- Older binaries: work.

alter table chat.log_state add column salt text;
comment on column chat.log_state.salt is 'At random, made when the log began; part of chat.epoch().';
