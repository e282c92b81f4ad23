create or replace view chat.online as
select n.user_id, p.login, p.display_name, c.last_seen as since, n.last_seen,
       array(select l.holder from chat.lease l where l.user_id = n.user_id and l.until > now() order by l.holder) as held_by
  from chat.presence_now n
  join chat.presence c on c.user_id = n.user_id
  join chat.person p on p.id = n.user_id
 where n.online;
comment on view chat.online is
  'Who is online, and since when; held_by names the daemons that he is connected to, and poll if he polls.';
