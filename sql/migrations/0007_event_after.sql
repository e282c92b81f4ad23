-- 0007: what a cursor leaves unseen is read up to a limit.
-- Why: the log was read whole for one who had missed more than he is replayed; the function has a parameter more now.
-- Locks: none that matter.
-- Older binaries: work; they do not call it.

drop function if exists chat.event_after(pg_snapshot);
