-- Every kind of resource that costs money, what belongs to it, and how its last listing went.

alter table inventory.resource
  -- What it was taken of, or what it is a part of, under the provider's own id. The parent may never have been listed.
  add column parent_kind text,
  add column parent_external_id text,
  add constraint resource_parent_whole check ((parent_kind is null) = (parent_external_id is null));

alter table inventory.span
  add column project text,
  add column tags text[] not null default '{}',
  -- US dollars, from the provider itself; null where it tells no price.
  add column price_monthly numeric check (price_monthly >= 0);

update inventory.span s set project = r.project, tags = r.tags
from inventory.resource r where r.id = s.resource_id;

-- Workers of a Kubernetes cluster were stored as droplets, and counted as such.
update inventory.resource r
set kind = 'kubernetes_node', parent_kind = 'kubernetes_cluster', parent_external_id = c.id
from (
  select r.id as resource_id, min(substr(tag, 5)) as id
  from inventory.resource r cross join unnest(r.tags) as tag
  where r.kind = 'droplet' and tag ~ '^k8s:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
  group by r.id
) c
where c.resource_id = r.id;

alter table inventory.resource
  add constraint resource_kind_is_known check (kind in (
    'droplet', 'kubernetes_node', 'volume', 'database', 'kubernetes_cluster', 'load_balancer', 'reserved_ip',
    'snapshot', 'backup', 'app', 'container_registry', 'project'
  ));

create index resource_of_parent on inventory.resource (provider, parent_kind, parent_external_id)
  where parent_kind is not null;

-- How the last listing of a kind went. A kind that the token may not list stays as it was.
create table inventory.listing (
  provider text not null,
  kind text not null,
  -- When the last listing that was recorded began; null when there is none.
  listed_at timestamptz,
  tried_at timestamptz not null,
  -- Why the last try recorded nothing, and the scope that the token needs.
  last_error text,
  scope text,
  primary key (provider, kind),
  constraint listing_is_listed_or_says_why check (listed_at is not null or last_error is not null)
);

insert into inventory.listing (provider, kind, listed_at, tried_at)
select provider, kind, max(last_seen_at), max(last_seen_at) from inventory.resource group by provider, kind;
