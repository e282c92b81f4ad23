// @ts-check

/** Thousands of people with sessions, in rooms, made by SQL alone. */

/**
 * @typedef {object} Group   readers that are spread over rooms of their own, reader i in room i modulo rooms
 * @property {number} readers
 * @property {number} rooms
 */

// Everybody's token is his number, from 0, in as many digits as a token has.
const PEOPLE = `
with people as (
  insert into chat.person (login, display_name)
  select 'bench-' || i, 'Bench ' || i from generate_series(0, $1::int - 1) i
  returning id, login
)
insert into chat.session (user_id, token_hash, expires_at)
select id, sha256(lpad(substr(login, 7), 43, '0')::bytea), now() + interval '1 day' from people`;

const ROOMS = `
with rooms as (
  insert into chat.room (kind, name) select 'private', 'Bench' from generate_series(1, $1::int) returning id
)
select min(id)::int as first from rooms`;

const MEMBERS = `
insert into chat.member (room_id, user_id)
select $1::bigint + i % $2::int, p.id
  from generate_series(0, $3::int - 1) i join chat.person p on p.login = 'bench-' || ($4::int + i)`;

const SENDERS = `
insert into chat.member (room_id, user_id)
select r.id, p.id
  from generate_series($1::int, $1::int + $2::int - 1) i join chat.person p on p.login = 'bench-' || i, chat.room r`;

/**
 * The groups' readers and rooms, numbered through, and after the readers some senders, who are in every room. The joins
 * themselves are not told: they would be most of the log.
 *
 * @param {import('../lib/site.js').Site} site
 * @param {Group[]} groups
 * @param {number} senders
 * @returns {Promise<{firstRoom: number, firstSender: number, readers: number}>} their ids, and how many readers there are
 */
export async function populate(site, groups, senders) {
  const readers = groups.reduce((sum, group) => sum + group.readers, 0);
  const rooms = groups.reduce((sum, group) => sum + group.rooms, 0);
  const client = await site.connect();
  await client.query(PEOPLE, [readers + senders]);
  const firstRoom = (await client.query(ROOMS, [rooms])).rows[0].first;
  await client.query('alter table chat.member disable trigger member_tell_join');
  let room = firstRoom;
  let reader = 0;
  for (const group of groups) {
    await client.query(MEMBERS, [room, group.rooms, group.readers, reader]);
    room += group.rooms;
    reader += group.readers;
  }
  await client.query(SENDERS, [readers, senders]);
  await client.query('alter table chat.member enable trigger member_tell_join');
  await client.query('analyze chat.person, chat.session, chat.room, chat.room_counter, chat.member');
  const { rows } = await client.query(`select id::int from chat.person where login = 'bench-${readers}'`);
  return { firstRoom, firstSender: rows[0].id, readers };
}
