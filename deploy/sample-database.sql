-- The sample database: the order book of a shop, made the same on every machine.
--
-- name: sample-database
-- database: sales
-- mode: write
-- timeout: 5m
--
-- 5 000 customers, 200 products, 40 000 orders of 2024 and 2025 with about 120 000 lines. There is
-- no chance in it: what looks like it comes out of the row's number by a linear congruential
-- generator (Knuth, TAOCP 2, 3.2.1; the constants are those of ANSI C's example of rand).

DROP TABLE IF EXISTS monthly_sales;
DROP TABLE IF EXISTS lines;
DROP TABLE IF EXISTS orders;
DROP TABLE IF EXISTS products;
DROP TABLE IF EXISTS customers;

CREATE TABLE customers (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL,
    city  TEXT NOT NULL
) STRICT;

CREATE TABLE products (
    id           INTEGER PRIMARY KEY,
    name         TEXT    NOT NULL,
    price_cents  INTEGER NOT NULL
) STRICT;

CREATE TABLE orders (
    id           INTEGER PRIMARY KEY,
    customer_id  INTEGER NOT NULL REFERENCES customers,
    ordered_on   TEXT    NOT NULL
) STRICT;

CREATE TABLE lines (
    order_id     INTEGER NOT NULL REFERENCES orders,
    product_id   INTEGER NOT NULL REFERENCES products,
    quantity     INTEGER NOT NULL,
    price_cents  INTEGER NOT NULL,
    PRIMARY KEY (order_id, product_id)
) STRICT, WITHOUT ROWID;

WITH RECURSIVE
    n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 5000),
    chance (id, r) AS (SELECT id, (id * 1103515245 + 12345) % 2147483648 / 4096 FROM n),
    given (id, name) AS (VALUES
        (0, 'Ada'), (1, 'Alan'), (2, 'Barbara'), (3, 'Donald'), (4, 'Edsger'), (5, 'Emmy'),
        (6, 'Grace'), (7, 'Hedy'), (8, 'Ivan'), (9, 'Joan'), (10, 'Karl'), (11, 'Lise'),
        (12, 'Mary'), (13, 'Niklaus'), (14, 'Olga'), (15, 'Rosalind')),
    family (id, name) AS (VALUES
        (0, 'Almeida'), (1, 'Berg'), (2, 'Costa'), (3, 'Dubois'), (4, 'Eriksen'), (5, 'Fischer'),
        (6, 'Grau'), (7, 'Horvat'), (8, 'Ito'), (9, 'Jansen'), (10, 'Kowalski'), (11, 'Lund'),
        (12, 'Moreau'), (13, 'Novak'), (14, 'Okafor'), (15, 'Petrov'), (16, 'Quinn'),
        (17, 'Rossi'), (18, 'Silva')),
    town (id, name) AS (VALUES
        (0, 'Amsterdam'), (1, 'Berlin'), (2, 'Dublin'), (3, 'Lisbon'), (4, 'Madrid'),
        (5, 'Oslo'), (6, 'Prague'), (7, 'Rome'), (8, 'Vienna'), (9, 'Warsaw'))
INSERT INTO customers
SELECT chance.id, given.name || ' ' || family.name, town.name
  FROM chance
  JOIN given  ON given.id = r % 16
  JOIN family ON family.id = r / 16 % 19
  JOIN town   ON town.id = r / 304 % 10
 ORDER BY chance.id;

WITH
    kind (id, name) AS (VALUES
        (0, 'Walnut'), (1, 'Steel'), (2, 'Linen'), (3, 'Copper'), (4, 'Cork'), (5, 'Glass'),
        (6, 'Wool'), (7, 'Marble'), (8, 'Bamboo'), (9, 'Leather')),
    thing (id, name) AS (VALUES
        (0, 'Lamp'), (1, 'Chair'), (2, 'Table'), (3, 'Bowl'), (4, 'Shelf'), (5, 'Clock'),
        (6, 'Mirror'), (7, 'Vase'), (8, 'Tray'), (9, 'Stool'), (10, 'Box'), (11, 'Frame'),
        (12, 'Hook'), (13, 'Basket'), (14, 'Board'), (15, 'Desk'), (16, 'Bench'), (17, 'Rack'),
        (18, 'Jar'), (19, 'Cup'))
INSERT INTO products
SELECT thing.id * 10 + kind.id + 1,
       kind.name || ' ' || thing.name,
       495 + (thing.id * 7919 + kind.id * 104729) % 200 * 100
  FROM thing, kind
 ORDER BY 1;

-- A few customers order much, as in life: the square root draws towards small numbers.
WITH RECURSIVE
    n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 40000),
    chance (id, r) AS (SELECT id, (id * 1103515245 + 12345) % 2147483648 / 2048 FROM n)
INSERT INTO orders
SELECT id, 1 + r % 5000 * (r / 5000 % 200) / 200, date('2024-01-01', (id * 731 / 40001) || ' days')
  FROM chance;

-- One to five lines an order; 37 and 200 have no common divisor, so no product comes twice.
WITH
    chance (id, r) AS (SELECT id, (id * 69069 + 1) % 4294967296 / 65536 FROM orders),
    place (k) AS (VALUES (0), (1), (2), (3), (4))
INSERT INTO lines
SELECT chance.id, products.id, 1 + (r + k * 3) % 4, products.price_cents
  FROM chance
  JOIN place    ON k <= r % 5
  JOIN products ON products.id = (r + k * 37) % 200 + 1;

CREATE INDEX orders_by_customer ON orders (customer_id);
CREATE INDEX orders_by_day ON orders (ordered_on);

SELECT (SELECT count(*) FROM customers) AS customers,
       (SELECT count(*) FROM products)  AS products,
       (SELECT count(*) FROM orders)    AS orders,
       (SELECT count(*) FROM lines)     AS lines;
