
CREATE SCHEMA chat;

COMMENT ON SCHEMA chat IS 'Confab. Tables hold the state, triggers the rules for every INSERT, api_* functions serve the REST workers, feed_* the push daemon.';

CREATE TYPE chat.answer AS (
	status integer,
	body text,
	link text
);

COMMENT ON TYPE chat.answer IS 'What an api_ function answers: HTTP status, JSON text (null: no body) and the query string of the next page (null: none).';

CREATE TABLE chat.event (
    id bigint NOT NULL,
    xid xid8 NOT NULL,
    room_id bigint,
    user_id bigint,
    type text NOT NULL,
    data text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT event_has_audience CHECK (((room_id IS NOT NULL) OR (user_id IS NOT NULL)))
);

COMMENT ON TABLE chat.event IS 'The log of what changed, in the order of id within a room. Read by cursors (chat.cursor_now), never by "id >": commits are not in the order of ids.';

COMMENT ON COLUMN chat.event.xid IS 'The writing transaction, set by trigger: what cursors compare.';

COMMENT ON COLUMN chat.event.room_id IS 'For everybody in this room; room.new only for user_id, while in it.';

COMMENT ON COLUMN chat.event.user_id IS 'For this person''s own devices.';

COMMENT ON COLUMN chat.event.data IS 'The JSON text as clients get it.';

CREATE TABLE chat.member (
    room_id bigint NOT NULL,
    user_id bigint NOT NULL,
    role text DEFAULT 'member'::text NOT NULL,
    since bigint NOT NULL,
    since_seq bigint NOT NULL,
    read_seq bigint NOT NULL,
    joined_at timestamp with time zone DEFAULT now() NOT NULL,
    delivered_seq bigint NOT NULL,
    CONSTRAINT member_read_is_delivered CHECK ((delivered_seq >= read_seq)),
    CONSTRAINT member_role_valid CHECK ((role = ANY (ARRAY['owner'::text, 'moderator'::text, 'member'::text])))
)
WITH (fillfactor='80');

COMMENT ON TABLE chat.member IS 'Who is in which room. Insert to let in, delete to remove: triggers tell the room.';

COMMENT ON COLUMN chat.member.since IS 'The event id of the join: only events above it are this member''s.';

COMMENT ON COLUMN chat.member.since_seq IS 'The room''s last_seq at the join: where since_join history begins.';

COMMENT ON COLUMN chat.member.read_seq IS 'Read up to here; unread is last_seq minus this. It only grows.';

COMMENT ON COLUMN chat.member.delivered_seq IS 'Came to a device up to here; what was read was delivered. It only grows, and by itself only in small rooms.';

CREATE TABLE chat.room (
    id bigint NOT NULL,
    kind text NOT NULL,
    name text,
    topic text DEFAULT ''::text NOT NULL,
    history text DEFAULT 'all'::text NOT NULL,
    dialog_low bigint,
    dialog_high bigint,
    created_by bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    archived_at timestamp with time zone,
    CONSTRAINT room_history_valid CHECK ((history = ANY (ARRAY['all'::text, 'since_join'::text]))),
    CONSTRAINT room_kind_valid CHECK ((kind = ANY (ARRAY['dialog'::text, 'private'::text, 'public'::text]))),
    CONSTRAINT room_shape CHECK (
CASE
    WHEN (kind = 'dialog'::text) THEN ((dialog_low IS NOT NULL) AND (dialog_high IS NOT NULL) AND (dialog_low < dialog_high) AND (name IS NULL))
    ELSE ((dialog_low IS NULL) AND (dialog_high IS NULL) AND (name IS NOT NULL))
END)
);

COMMENT ON TABLE chat.room IS 'Conversations: dialogs of two, private rooms, public rooms.';

COMMENT ON COLUMN chat.room.history IS 'What a member may read: all, or what came since he joined.';

COMMENT ON COLUMN chat.room.dialog_low IS 'Of a dialog''s two people the one with the lower id, so that a pair has one dialog.';

COMMENT ON COLUMN chat.room.archived_at IS 'Since when nobody can write to it; null: open.';

CREATE TABLE chat.message (
    room_id bigint NOT NULL,
    seq bigint NOT NULL,
    sender_id bigint,
    client_id uuid,
    type text DEFAULT 'text'::text NOT NULL,
    body text NOT NULL,
    meta jsonb DEFAULT '{}'::jsonb NOT NULL,
    reply_to bigint,
    request_hash bytea,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    edited_at timestamp with time zone,
    deleted_at timestamp with time zone
);

COMMENT ON TABLE chat.message IS 'Messages. A plain INSERT of room_id, sender_id and body is enough: triggers give the seq, check the rules and tell the room.';

COMMENT ON COLUMN chat.message.seq IS 'Gapless number in the room, given by the trigger: the one order of messages.';

COMMENT ON COLUMN chat.message.sender_id IS 'Null only once the sender is erased.';

COMMENT ON COLUMN chat.message.client_id IS 'The sender''s own id of the message: the same one is the same message.';

COMMENT ON COLUMN chat.message.request_hash IS 'Digest of the message as first sent, by which a repeat is told from a reused client_id.';

CREATE TABLE chat.person (
    id bigint NOT NULL,
    login text NOT NULL COLLATE pg_catalog."C",
    display_name text NOT NULL,
    password_hash text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    name_words tsvector GENERATED ALWAYS AS (array_to_tsvector(chat.words(display_name))) STORED
);

COMMENT ON TABLE chat.person IS 'People who can log in.';

COMMENT ON COLUMN chat.person.login IS 'Login name in lower case, or a phone number as +digits. A phone number is shown to nobody else.';

COMMENT ON COLUMN chat.person.password_hash IS 'argon2id in libsodium''s text form, made by the workers; null: no log-in by password.';

COMMENT ON COLUMN chat.person.name_words IS 'The display name''s words, for search by prefix.';

CREATE UNLOGGED TABLE chat.lease (
    user_id bigint NOT NULL,
    holder text NOT NULL,
    until timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    CONSTRAINT lease_holder_size CHECK (((char_length(holder) >= 1) AND (char_length(holder) <= 64)))
)
WITH (fillfactor='50');

COMMENT ON TABLE chat.lease IS 'Who is connected, and to which daemon: online is who has a lease that has not run out. One is inserted only under the lock of the person''s presence.';

COMMENT ON COLUMN chat.lease.holder IS 'The daemon, by a name that is new with each start; or poll.';

COMMENT ON COLUMN chat.lease.seen_at IS 'When the person was last known to be there.';

CREATE TABLE chat.presence (
    user_id bigint NOT NULL,
    online boolean DEFAULT false NOT NULL,
    last_seen timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='80');

COMMENT ON TABLE chat.presence IS 'Who was ever online. Ask chat.presence_now, which knows about leases. A row''s lock is the person''s: under it the first lease is written, the last one swept, and the change told.';

COMMENT ON COLUMN chat.presence.online IS 'What was told last.';

COMMENT ON COLUMN chat.presence.last_seen IS 'While online: since when.';

CREATE VIEW chat.presence_now AS
 SELECT p.user_id,
    (p.online AND ((EXISTS ( SELECT
           FROM chat.lease l
          WHERE ((l.user_id = p.user_id) AND (l.until > now())))) OR ( SELECT chat.lease_unsure() AS lease_unsure))) AS online,
    GREATEST(p.last_seen, ( SELECT max(l.seen_at) AS max
           FROM chat.lease l
          WHERE (l.user_id = p.user_id))) AS last_seen
   FROM chat.presence p;

COMMENT ON VIEW chat.presence_now IS 'Who is online at this moment, and when everybody else was last seen. People who never were have no row.';

CREATE TABLE chat.session (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    token_hash bytea NOT NULL,
    agent text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT session_agent_size CHECK ((char_length(agent) <= 200)),
    CONSTRAINT session_expires_at_finite CHECK (isfinite(expires_at)),
    CONSTRAINT session_token_hash_size CHECK ((octet_length(token_hash) = 32))
);

COMMENT ON TABLE chat.session IS 'Log-ins. Deleting a row ends the session and closes its streams.';

COMMENT ON COLUMN chat.session.token_hash IS 'SHA-256 of the token; the token itself is stored nowhere.';

COMMENT ON COLUMN chat.session.agent IS 'What the client called itself when it logged in.';

CREATE SEQUENCE chat.event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE chat.event_id_seq OWNED BY chat.event.id;

CREATE TABLE chat.job (
    id bigint NOT NULL,
    kind text NOT NULL,
    key text,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    every interval,
    attempts bigint DEFAULT 0 NOT NULL,
    attempts_max bigint DEFAULT 10,
    claimed_by text,
    lease_until timestamp with time zone,
    last_error text,
    ended_at timestamp with time zone,
    CONSTRAINT job_claim_whole CHECK (((claimed_by IS NULL) = (lease_until IS NULL))),
    CONSTRAINT job_ended CHECK ((((state = 'open'::text) = (ended_at IS NULL)) AND ((state = 'open'::text) OR (claimed_by IS NULL)))),
    CONSTRAINT job_recurs_for_ever CHECK (((every IS NULL) OR ((state = 'open'::text) AND (attempts_max IS NULL)))),
    CONSTRAINT job_state_valid CHECK ((state = ANY (ARRAY['open'::text, 'done'::text, 'failed'::text])))
);

COMMENT ON TABLE chat.job IS 'What must happen once in the world, however many programs could do it: chat.job_claim gives each job to one of them, for the time of a lease. Failed ones stay visible for 30 days.';

COMMENT ON COLUMN chat.job.key IS 'The adder''s own name for the job: the same kind and key is the same job.';

COMMENT ON COLUMN chat.job.every IS 'It recurs: done, it is open again after so long. Null: done once.';

COMMENT ON COLUMN chat.job.attempts IS 'How often it was claimed; if it recurs, since it was done last.';

COMMENT ON COLUMN chat.job.attempts_max IS 'It has failed when so many attempts have; null: it is tried for ever.';

COMMENT ON COLUMN chat.job.lease_until IS 'Until then it is its claimer''s; later it is anybody''s.';

COMMENT ON COLUMN chat.job.last_error IS 'Why the last attempt failed.';

ALTER TABLE chat.job ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chat.job_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE UNLOGGED TABLE chat.lease_watch (
    one boolean DEFAULT true NOT NULL,
    lease interval NOT NULL,
    swept_at timestamp with time zone NOT NULL,
    sure_at timestamp with time zone NOT NULL,
    CONSTRAINT lease_watch_one_row CHECK (one)
);

COMMENT ON TABLE chat.lease_watch IS 'One row, or none after a crash: from when on a lease that is missing means anything. Its lock is that of whoever sweeps.';

COMMENT ON COLUMN chat.lease_watch.lease IS 'How long a lease lasts.';

COMMENT ON COLUMN chat.lease_watch.swept_at IS 'When somebody last swept.';

COMMENT ON COLUMN chat.lease_watch.sure_at IS 'By then everybody who is connected has been held again, since leases were lost or nobody swept.';

CREATE TABLE chat.log_state (
    one boolean DEFAULT true NOT NULL,
    epoch text,
    pruned_xid xid8 DEFAULT '0'::xid8 NOT NULL,
    pruned_snapshot pg_snapshot,
    salt text,
    CONSTRAINT log_state_one_row CHECK (one)
);

COMMENT ON TABLE chat.log_state IS 'One row: which life of the log this is, and how far it was pruned.';

COMMENT ON COLUMN chat.log_state.epoch IS 'chat.epoch() when the log began; cursors of another epoch are void.';

COMMENT ON COLUMN chat.log_state.pruned_xid IS 'The highest xid of an event that was pruned.';

COMMENT ON COLUMN chat.log_state.pruned_snapshot IS 'Only events visible in this snapshot were pruned.';

COMMENT ON COLUMN chat.log_state.salt IS 'At random, made when the log began; part of chat.epoch().';

CREATE TABLE chat.migration (
    version integer NOT NULL,
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE chat.migration IS 'Schema versions that this database has been through.';

CREATE VIEW chat.online AS
 SELECT n.user_id,
    p.login,
    p.display_name,
    c.last_seen AS since,
    n.last_seen,
    ARRAY( SELECT l.holder
           FROM chat.lease l
          WHERE ((l.user_id = n.user_id) AND (l.until > now()))
          ORDER BY l.holder) AS held_by
   FROM ((chat.presence_now n
     JOIN chat.presence c ON ((c.user_id = n.user_id)))
     JOIN chat.person p ON ((p.id = n.user_id)))
  WHERE n.online;

COMMENT ON VIEW chat.online IS 'Who is online, and since when; held_by names the daemons that he is connected to, and poll if he polls.';

ALTER TABLE chat.person ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chat.person_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE chat.prune_mark (
    at timestamp with time zone NOT NULL,
    snapshot pg_snapshot NOT NULL
);

COMMENT ON TABLE chat.prune_mark IS 'What a look could see, and when: retention is counted from here, since an event may become visible long after its insertion.';

CREATE TABLE chat.room_counter (
    room_id bigint NOT NULL,
    last_seq bigint DEFAULT 0 NOT NULL,
    first_seq bigint DEFAULT 1 NOT NULL,
    last_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE chat.room_counter IS 'One row a room. Its row lock is the room''s lock: chat.room_lock() takes it before anything that has an order in the room.';

COMMENT ON COLUMN chat.room_counter.last_seq IS 'The newest message''s seq; 0: none yet.';

COMMENT ON COLUMN chat.room_counter.first_seq IS 'The lowest seq that retention has left.';

COMMENT ON COLUMN chat.room_counter.last_at IS 'The newest activity: orders the chat list.';

ALTER TABLE chat.room ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chat.room_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE chat.session ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chat.session_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE UNLOGGED TABLE chat.stream_ticket (
    ticket_hash bytea NOT NULL,
    session_id bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT stream_ticket_hash_size CHECK ((octet_length(ticket_hash) = 32))
);

COMMENT ON TABLE chat.stream_ticket IS 'Tickets by which a stream is opened for a session, once. Redeeming one deletes its row.';

COMMENT ON COLUMN chat.stream_ticket.ticket_hash IS 'SHA-256 of the ticket; the ticket itself is stored nowhere.';

CREATE UNLOGGED TABLE chat.typing (
    room_id bigint NOT NULL,
    user_id bigint NOT NULL,
    state text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    CONSTRAINT typing_state_valid CHECK ((state = ANY (ARRAY['start'::text, 'stop'::text])))
)
WITH (fillfactor='50');

COMMENT ON TABLE chat.typing IS 'What of a member''s typing was told last, so that it is not told all the time.';

COMMENT ON COLUMN chat.typing.started_at IS 'When a start was last told.';

ALTER TABLE ONLY chat.event ALTER COLUMN id SET DEFAULT nextval('chat.event_id_seq'::regclass);

ALTER TABLE ONLY chat.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (id);

ALTER TABLE ONLY chat.job
    ADD CONSTRAINT job_key_key UNIQUE (kind, key);

ALTER TABLE ONLY chat.job
    ADD CONSTRAINT job_pkey PRIMARY KEY (id);

ALTER TABLE ONLY chat.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (user_id, holder);

ALTER TABLE ONLY chat.lease_watch
    ADD CONSTRAINT lease_watch_pkey PRIMARY KEY (one);

ALTER TABLE ONLY chat.log_state
    ADD CONSTRAINT log_state_pkey PRIMARY KEY (one);

ALTER TABLE ONLY chat.member
    ADD CONSTRAINT member_pkey PRIMARY KEY (room_id, user_id);

ALTER TABLE ONLY chat.message
    ADD CONSTRAINT message_client_id_key UNIQUE (sender_id, client_id);

ALTER TABLE ONLY chat.message
    ADD CONSTRAINT message_pkey PRIMARY KEY (room_id, seq);

ALTER TABLE ONLY chat.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (version);

ALTER TABLE ONLY chat.person
    ADD CONSTRAINT person_login_key UNIQUE (login);

ALTER TABLE ONLY chat.person
    ADD CONSTRAINT person_pkey PRIMARY KEY (id);

ALTER TABLE ONLY chat.presence
    ADD CONSTRAINT presence_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY chat.prune_mark
    ADD CONSTRAINT prune_mark_pkey PRIMARY KEY (at);

ALTER TABLE ONLY chat.room_counter
    ADD CONSTRAINT room_counter_pkey PRIMARY KEY (room_id);

ALTER TABLE ONLY chat.room
    ADD CONSTRAINT room_dialog_key UNIQUE (dialog_low, dialog_high);

ALTER TABLE ONLY chat.room
    ADD CONSTRAINT room_pkey PRIMARY KEY (id);

ALTER TABLE ONLY chat.session
    ADD CONSTRAINT session_pkey PRIMARY KEY (id);

ALTER TABLE ONLY chat.session
    ADD CONSTRAINT session_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY chat.stream_ticket
    ADD CONSTRAINT stream_ticket_pkey PRIMARY KEY (ticket_hash);

ALTER TABLE ONLY chat.typing
    ADD CONSTRAINT typing_pkey PRIMARY KEY (room_id, user_id);

CREATE INDEX event_room_id_idx ON chat.event USING btree (room_id, xid);

CREATE INDEX event_user_id_idx ON chat.event USING btree (user_id, xid) WHERE (user_id IS NOT NULL);

CREATE INDEX event_xid_idx ON chat.event USING btree (xid);

CREATE INDEX job_due_idx ON chat.job USING btree (kind, GREATEST(run_at, lease_until)) WHERE (state = 'open'::text);

CREATE INDEX job_ended_at_idx ON chat.job USING btree (ended_at) WHERE (ended_at IS NOT NULL);

CREATE INDEX member_user_id_idx ON chat.member USING btree (user_id);

CREATE INDEX person_name_words_idx ON chat.person USING gin (name_words);

CREATE INDEX presence_online_idx ON chat.presence USING btree (user_id) WHERE online;

CREATE INDEX room_created_by_idx ON chat.room USING btree (created_by);

CREATE INDEX room_dialog_high_idx ON chat.room USING btree (dialog_high);

CREATE INDEX session_expires_at_idx ON chat.session USING btree (expires_at);

CREATE INDEX session_user_id_idx ON chat.session USING btree (user_id);

CREATE INDEX stream_ticket_session_id_idx ON chat.stream_ticket USING btree (session_id);

CREATE TRIGGER event_durable BEFORE INSERT ON chat.event FOR EACH STATEMENT EXECUTE FUNCTION chat.event_durable();

CREATE TRIGGER event_ring AFTER INSERT ON chat.event FOR EACH STATEMENT EXECUTE FUNCTION chat.event_ring();

CREATE TRIGGER event_stamp BEFORE INSERT ON chat.event FOR EACH ROW EXECUTE FUNCTION chat.event_stamp();

CREATE TRIGGER member_enter BEFORE INSERT ON chat.member FOR EACH ROW EXECUTE FUNCTION chat.member_enter();

CREATE TRIGGER member_leave BEFORE DELETE ON chat.member FOR EACH ROW EXECUTE FUNCTION chat.member_leave();

CREATE TRIGGER member_tell_join AFTER INSERT ON chat.member REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION chat.member_tell_join();

CREATE TRIGGER member_tell_leave AFTER DELETE ON chat.member REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION chat.member_tell_leave();

CREATE TRIGGER message_enter BEFORE INSERT ON chat.message FOR EACH ROW EXECUTE FUNCTION chat.message_enter();

CREATE TRIGGER message_tell AFTER INSERT ON chat.message REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION chat.message_tell();

CREATE TRIGGER person_check BEFORE INSERT OR UPDATE OF login, display_name ON chat.person FOR EACH ROW EXECUTE FUNCTION chat.person_check();

CREATE TRIGGER room_change BEFORE UPDATE ON chat.room FOR EACH ROW EXECUTE FUNCTION chat.room_change();

CREATE TRIGGER room_check BEFORE INSERT OR UPDATE OF name, topic ON chat.room FOR EACH ROW EXECUTE FUNCTION chat.room_check();

CREATE TRIGGER room_count AFTER INSERT ON chat.room FOR EACH ROW EXECUTE FUNCTION chat.room_count();

CREATE TRIGGER session_tell_change AFTER UPDATE OF expires_at, token_hash ON chat.session FOR EACH ROW WHEN (((new.expires_at <= clock_timestamp()) OR (new.token_hash <> old.token_hash))) EXECUTE FUNCTION chat.session_tell_change();

CREATE TRIGGER session_tell_end AFTER DELETE ON chat.session REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION chat.session_tell_end();

ALTER TABLE ONLY chat.lease
    ADD CONSTRAINT lease_user_id_fkey FOREIGN KEY (user_id) REFERENCES chat.person(id) ON DELETE CASCADE;

ALTER TABLE ONLY chat.member
    ADD CONSTRAINT member_room_id_fkey FOREIGN KEY (room_id) REFERENCES chat.room_counter(room_id) ON DELETE CASCADE;

ALTER TABLE ONLY chat.member
    ADD CONSTRAINT member_user_id_fkey FOREIGN KEY (user_id) REFERENCES chat.person(id) ON DELETE CASCADE;

ALTER TABLE ONLY chat.message
    ADD CONSTRAINT message_room_id_fkey FOREIGN KEY (room_id) REFERENCES chat.room_counter(room_id) ON DELETE CASCADE;

ALTER TABLE ONLY chat.message
    ADD CONSTRAINT message_sender_id_fkey FOREIGN KEY (sender_id) REFERENCES chat.person(id) ON DELETE SET NULL;

ALTER TABLE ONLY chat.presence
    ADD CONSTRAINT presence_user_id_fkey FOREIGN KEY (user_id) REFERENCES chat.person(id) ON DELETE CASCADE;

ALTER TABLE ONLY chat.room_counter
    ADD CONSTRAINT room_counter_room_id_fkey FOREIGN KEY (room_id) REFERENCES chat.room(id) ON DELETE CASCADE;

ALTER TABLE ONLY chat.room
    ADD CONSTRAINT room_created_by_fkey FOREIGN KEY (created_by) REFERENCES chat.person(id) ON DELETE SET NULL;

ALTER TABLE ONLY chat.room
    ADD CONSTRAINT room_dialog_high_fkey FOREIGN KEY (dialog_high) REFERENCES chat.person(id) ON DELETE RESTRICT;

ALTER TABLE ONLY chat.room
    ADD CONSTRAINT room_dialog_low_fkey FOREIGN KEY (dialog_low) REFERENCES chat.person(id) ON DELETE RESTRICT;

ALTER TABLE ONLY chat.session
    ADD CONSTRAINT session_user_id_fkey FOREIGN KEY (user_id) REFERENCES chat.person(id) ON DELETE CASCADE;

ALTER TABLE ONLY chat.stream_ticket
    ADD CONSTRAINT stream_ticket_session_id_fkey FOREIGN KEY (session_id) REFERENCES chat.session(id) ON DELETE CASCADE;

ALTER TABLE ONLY chat.typing
    ADD CONSTRAINT typing_member_fkey FOREIGN KEY (room_id, user_id) REFERENCES chat.member(room_id, user_id) ON DELETE CASCADE;

