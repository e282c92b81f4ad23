-- 0003: indexes by which one cursor's replay costs what it finds, however long the log is.
-- Why: an old cursor had the whole log read.
-- Locks: writes to chat.event wait while they are built, about a second for each million events.
-- Older binaries: work.

create index event_room_id_idx on chat.event (room_id, xid);
create index event_user_id_idx on chat.event (user_id, xid) where user_id is not null;
comment on column chat.event.room_id is 'For everybody in this room; room.new only for user_id, while in it.';
