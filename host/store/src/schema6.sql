-- The step from version 5 to 6: an endpoint is found by its MAC, which no other one of its network may have.

ALTER TABLE endpoints ADD COLUMN mac TEXT;
UPDATE endpoints SET mac = json_extract(record, '$.mac');
CREATE INDEX endpoints_mac ON endpoints (mac, network) WHERE mac IS NOT NULL;
