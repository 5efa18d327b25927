return redis.error_reply('My Err')
return redis.error_reply('-My Err')
return redis.error_reply('')
return {err='My Err'}
return {err='-My Err x'}
return {err=''}
return redis.status_reply('fine')
return {ok='fine\r\nx'}
return redis.call('nosuch')
return redis.pcall('nosuch')
return redis.call('get')
return redis.pcall('get')
return redis.call()
return redis.pcall()
return redis.call({})
return redis.pcall('get',{})
error('boom')
error('boom',0)
error()
error(nil)
foo()
return foo
foo=1
local t={} t.x.y=1
local t={} return t.x.y
return nil+1
return {}+1
return 'a'+1
return 'a'..nil
return 'a'..{}
return 1<'2'
return {}<{}
return {}<1
return string.rep('x',10,',')
return ('x'):rep(3)
return {1,2,nil,4}
return {1,2.9,-3.7,'x',true,false,{4}}
return 3.99
return -3.99
return 1e15
return 2^53
return 2^63
return 1/0
return 0/0
return tostring(1e15)
return tostring(1700000000000)
return tostring(0.1+0.2)
return tostring(1/3)
return tostring(-0)
return tostring(1/0)..tostring(0/0)..tostring(-1/0)
return tostring(2^53)
return tostring(100000000000000)
return tostring(12345678901234)
redis.call('set','k',1700000000000) return redis.call('get','k')
redis.call('set','k',2^53) return redis.call('get','k')
return redis.sha1hex('abc')
return redis.sha1hex()
return redis.sha1hex(1)
return redis.setresp(4)
return redis.setresp()
redis.setresp(3) return redis.call('hgetall','nokey')
redis.setresp(3) redis.call('hset','h','f','v') return redis.call('hgetall','h')
redis.setresp(3) redis.call('hset','h','f','v') return redis.call('hgetall','h').map.f
redis.setresp(3) return type(redis.call('get','nokey'))
redis.setresp(3) redis.call('sadd','se','m') return tostring(redis.call('smembers','se').set.m)
return {double=3.5}
return {map={a=1}}
return {set={a=true}}
return {big_number='123'}
return {verbatim_string={string='x',format='txt'}}
return redis.set_repl(99)
return loadstring('return 1')()
return load(function() return nil end)
return loadfile
return require
return getfenv
return select('#',1,2,nil)
return select(-1,1,2,3)
return {unpack({1,2,3},2)}
return tonumber('010')
return tostring(tonumber('1e1'))
return tostring(tonumber(' 5 '))
return tostring(tonumber('5x'))
return tostring(tonumber('inf'))
return tostring(tonumber('nan'))
return tostring(tonumber('z',36))
return tostring(tonumber('8',8))
return tostring(tonumber(''))
return tostring(tonumber(nil))
return tostring(tonumber())
return redis.call('eval','return 1',0)
return redis.call('flushall','x')
return redis.call('ping')
return redis.call('PING','x')
return type(redis.call('ping'))..redis.call('ping').ok
redis.x=1
_G.x=1
string.x=1
setmetatable(_G,nil)
rawset(_G,'a',1)
rawset(redis,'a',1)
table.insert(redis,1)
local t=setmetatable({},{__index=function(t,k) return k..'!' end}) return t.abc
KEYS=1
KEYS[1]='z' return KEYS[1]
return #KEYS
return {}
return
return nil
return true
return false
return cjson.null
return {cjson.null,1}
return function() end
return pcall(error,'x')
local ok,e=pcall(error,'x') return e
local ok,e=pcall(function() error('x') end) return e
local ok,e=pcall(function() local a=nil; a.b=1 end) return e
local ok,e=xpcall(function() error('x') end,function(m) return 'H:'..m end) return e
return _VERSION
for i='1','3' do redis.call('ping') end return 'ok'
for i='x',3 do end
for i=1,'x' do end
for i=1,3,0 do end return 1
local s='' for i=1,5 do s=s..i end return s
return 10 .. ''
return 1.5 ..'|'
return '10'+5
return '010'+0
return 7%3
return -7%3
return 7%-3
return 2^10
return 0x1F
return 1e2
return ...
return cjson.encode({})
return cjson.encode({1,2,3})
return cjson.encode({1,2,nil,4})
return cjson.encode({[1]=1,[5]=2})
return cjson.encode({[1]=1,[100]=2})
return cjson.encode({a=1})
return cjson.encode({[1]='x',a=1})
return cjson.encode('a/b"c\\d\n\t\r\b\f\1\127é')
return cjson.encode(1/0)
return cjson.encode(0/0)
return cjson.encode(3.14159265358979)
return cjson.encode(1700000000000)
return cjson.encode(1e20)
return cjson.encode(0.1)
return cjson.encode(nil)
return cjson.encode(cjson.null)
return cjson.encode(true)
return cjson.encode()
return cjson.encode(function() end)
return cjson.encode({[true]=1})
return cjson.encode({[1.5]=1})
return cjson.encode({[-1]=1})
return cjson.encode(1,2)
local t={} t[1]=t return cjson.encode(t)
return cjson.decode('')
return cjson.decode('{')
return cjson.decode('[1,2')
return cjson.decode('[1,]')
return cjson.decode('{"a":}')
return cjson.decode('{"a" 1}')
return cjson.decode('{1:2}')
return cjson.decode('x')
return cjson.decode('tru')
return cjson.decode('"abc')
return cjson.decode('"a\\x"')
return cjson.decode('"\\u00e9\\ud83d\\ude00"')
return cjson.decode('"\\ud83d"')
return cjson.decode('1 2')
return cjson.decode('[1] x')
return cjson.decode(' [1, 2.5, "x", null, true, false] ')
return tostring(cjson.decode('null')==cjson.null)
return type(cjson.decode('null'))
return tostring(cjson.decode('12345678901234567890'))
return tostring(cjson.decode('1e5'))
return tostring(cjson.decode('nan'))
return tostring(cjson.decode('Infinity'))
return tostring(cjson.decode('-Infinity'))
return tostring(cjson.decode('01'))
return tostring(cjson.decode('-'))
return tostring(cjson.decode('.5'))
return tostring(cjson.decode('5.'))
return tostring(cjson.decode('+5'))
return cjson.decode()
return cjson.decode(5)
return cjson.decode({})
return cjson.decode('{"a":1,"a":2}').a
return cjson.decode('"a\nb"')
return cjson.decode('"\0"')
return cjson.decode(string.rep('[',1001)..string.rep(']',1001))
return cjson.encode(cjson.decode('[]'))
return cjson.encode(cjson.decode('{"a":[]}'))
return {cjson.encode_sparse_array(),cjson.encode_max_depth(),cjson.decode_max_depth(),cjson.encode_number_precision(),cjson.encode_keep_buffer(),cjson.encode_invalid_numbers(),cjson.decode_invalid_numbers()}
return cjson.encode_number_precision(20)
local c=cjson.new() return type(c.encode)
return tostring(cjson.null)
return cmsgpack.pack({})
return cmsgpack.pack({1,2,3})
return cmsgpack.pack({a=1})
return cmsgpack.pack({1,nil,3})
return cmsgpack.pack(1,2.5,'x',true,nil,false)
return cmsgpack.pack(-1,-33,128,256,65536,2^32,-129,-40000,-2^31-1,127,255,65535)
return cmsgpack.pack(1.5,0.1,1e300,1/0,2^53,2^63,-2^63)
return cmsgpack.pack()
return cmsgpack.pack(function() end)
return cmsgpack.pack(cjson.null)
return {cmsgpack.unpack(cmsgpack.pack(1,'x',{1,{a=2}}))}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3))}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),1)}
return {cmsgpack.unpack_one(cmsgpack.pack(1,2,3),2)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),2,1)}
return {cmsgpack.unpack_limit(cmsgpack.pack(1,2,3),-1)}
return {cmsgpack.unpack_one(cmsgpack.pack(1),5)}
return {cmsgpack.unpack_one(cmsgpack.pack(1),-1)}
return cmsgpack.unpack('\x91')
return cmsgpack.unpack('\145')
return cmsgpack.unpack('\193')
return {cmsgpack.unpack('')}
return {cmsgpack.unpack('\202\63\192\0\0')}
return tostring(cmsgpack.unpack('\207\255\255\255\255\255\255\255\255'))
return tostring(cmsgpack.unpack('\211\255\255\255\255\255\255\255\255'))
return {cmsgpack.unpack('\196\2ab')}
return {cmsgpack.unpack('\217\2ab')}
local t={} local c=t for i=1,20 do c[1]={} c=c[1] end return cmsgpack.pack(t)
return cmsgpack.pack({[1.5]=1})
return cmsgpack.pack({[2]=1})
return cmsgpack.pack(string.rep('x',40))
return #cmsgpack.pack(string.rep('x',300))
return struct.pack('>I2','258')
return struct.pack('<i4',-2)
return struct.pack('bBhHlLTiI',1,2,3,4,5,6,7,8,9)
return struct.size('bBhHlLTiI')
return struct.size('!bi')
return struct.size('!8bd')
return struct.pack('s','ab')
return struct.pack('c0','ab')
return struct.pack('c5','ab')
return struct.pack('c1','ab')
return struct.pack('c','ab')
return struct.pack('fd',1.5,2.5)
return struct.pack('x')
return struct.pack('i33',1)
return struct.pack('i0',1)
return struct.pack('z',1)
return struct.pack('i')
return struct.pack('!3i',1)
return {struct.unpack('>I2','\1\2')}
return {struct.unpack('<i2','\255\255')}
return {struct.unpack('>I2','\1')}
return {struct.unpack('bs','\5ab\0')}
return {struct.unpack('s','ab')}
return {struct.unpack('Bc0','\3abcd')}
return {struct.unpack('c0','abc')}
return {struct.unpack('I1','ab',2)}
return {struct.unpack('I1','ab',3)}
return {struct.unpack('I1','ab',0)}
return {struct.unpack('I1','ab',-1)}
return struct.size('s')
return struct.size('c0')
return struct.size('c0s')
return tostring((struct.unpack('d',struct.pack('d',1.5))))
return tostring((struct.unpack('>i8',struct.pack('>i8',-5))))
return tostring((struct.unpack('>I8',struct.pack('>I8',2^63))))
return {struct.unpack(' b x b','\1\2\3')}
return bit.tohex(255)
return bit.tohex(255,4)
return bit.tohex(255,-4)
return bit.tohex(255,0)
return bit.band(0xff,0x0f)
return bit.bor(1,2,4)
return bit.bxor(5,1)
return bit.bnot(0)
return bit.lshift(1,31)
return bit.lshift(1,33)
return bit.rshift(-1,28)
return bit.arshift(-256,4)
return bit.rol(0x12345678,12)
return bit.ror(0x12345678,12)
return bit.bswap(0x12345678)
return bit.tobit(0xffffffff)
return bit.tobit(2^32+1)
return bit.tobit(1.5)
return bit.tobit(2.5)
return bit.tobit(-1.5)
return bit.tobit('x')
return bit.band()
return bit.tobit(1e20)
return {string.find('hello','l')}
return {string.find('hello','(l)(l)')}
return {string.find('a.b','.',1,true)}
return {string.find('abc','b',-1)}
return {string.find('abc','',10)}
return {string.find('abc','',4)}
return {string.match('key=val','(%w+)=(%w+)')}
return {string.match('  x','^%s*()')}
return string.gsub('hello','l','L')
return {string.gsub('hello','l','L',1)}
return string.gsub('hello','(l)','[%1%0]')
return string.gsub('hello','l','%2')
return string.gsub('hello','l',{l='X'})
return string.gsub('hello','l',function(x) return nil end)
return string.gsub('hello','l',function(x) return {} end)
return string.gsub('abc','%w','%%')
return string.gsub('abc','','-')
return string.gsub('abc','b*','-')
return string.gsub('x y','%f[%w]%w','Z')
return string.find('x','[a')
return string.find('x','%')
return string.find('x','(')
return string.find('(a(b)c)','%b()')
return string.find('x','%b')
return string.find('x','%f')
return string.gsub('x','x')
local r={} for k,v in string.gmatch('a=1,b=2','(%w+)=(%w+)') do r[#r+1]=k..v end return r
local r={} for w in ('one two'):gmatch('%a+') do r[#r+1]=w end return r
return string.format('%d %5d|%-5d|%05d %x %X %o %c %q %s %5s|%-5s| %.2s %%',3.7,42,42,42,255,255,8,65,'a"b\n\0','x','y','z','abc')
return string.format('%d','10')
return string.format('%d','x')
return string.format('%s',nil)
return string.format('%s',{}) ~= nil
return string.format('%i %u',-1,-1)
return string.format('%e %g %f %G %E',1.5,1e20,1/3,1e-10,0)
return string.format('%5.1f|%+d|% d|%#x',3.14159,5,5,255)
return string.format('%g %g %g',1/0,-1/0,0/0)
return string.format('%f',1/0)
return string.format('%100d',1)
return string.format('%.100d',1)
return string.format('%y',1)
return string.format('%')
return string.format('%d')
return string.format('%s %s','a')
return string.format('%.14g',0.1)
return string.format('%q','\r')
return string.format('%.3d',5)
return string.format('%+.3e',12345.678)
return string.format('%x',-1)
return string.format('%s',1e15)
return string.format('%.20s','abc')
return {string.byte('abc',1,-1)}
return {string.byte('abc',10)}
return string.char(72,105)
return string.char(256)
return string.char()
return {('abc'):sub(2),('abc'):sub(-2,-1),('abc'):sub(0),('abc'):sub(3,2),('abc'):sub(-100,2)}
return string.upper('aé')..string.lower('AÉ')
return string.reverse('abc')
return string.len('abc')
return string.rep('ab',0)..string.rep('ab',-1)
return string.rep()
return string.rep('x','a')
return table.concat({1,2,3},',')
return table.concat({1,2,3},',',2,3)
return table.concat({1,{},3})
return table.concat({1.5,0.1+0.2})
return table.concat({},'x')
return table.concat({1,2},',',1,5)
local t={3,1,2} table.sort(t) return t
local t={3,1,2} table.sort(t,function(a,b) return a>b end) return t
local t={1,2} table.insert(t,3) table.insert(t,1,0) return t
table.insert({},1,2,3)
table.insert({})
local t={1,2,3} return {table.remove(t),table.remove(t,1),#t}
return {table.remove({})}
return table.getn({1,2,3})
return table.maxn({1,2,[10]=3})
table.setn({},1)
local s=0 table.foreach({1,2,3},function(k,v) s=s+v end) return s
local s=0 table.foreachi({1,2,3},function(k,v) s=s+v end) return s
return table.unpack
return math.floor(-3.5)
return math.max(1,5,3)
return math.max()
return math.fmod(7,-3)
return math.modf(3.7)
return tostring(math.pi)
return tostring(math.huge)
return math.floor('x')
return math.floor()
return math.floor({})
return math.floor('10.7')
return tostring(math.sqrt(2))
return tostring(math.log(10))
return tostring(math.log10(100))
return {math.frexp(8)}
return math.ldexp(1,4)
return math.abs(-5)
return unpack({1,2,3})
return {unpack({},1,8000)}
return {unpack({},1,1e7)}
return select(0)
return assert(false)
return assert(nil,'msg')
return assert(1,2)
return assert(false,{err='x'})
return tostring(setmetatable({},{__tostring=function() return 'TS' end}))
return tostring(setmetatable({},{__tostring=function() return 1 end}))
return setmetatable({},{__metatable='m'})
return setmetatable(setmetatable({},{__metatable='m'}),{})
return setmetatable(1,{})
return next({})
return {next({10})}
return rawequal(1,1)
return rawget({a=1},'a')
return type(nil)
return type()
return tostring()
return ipairs()
return pairs(nil)
for k,v in ipairs({1,2,nil,3}) do redis.call('ping') end return 1
local co=coroutine.create(function(a) local b=coroutine.yield(a+1) return b*2 end) local _,x=coroutine.resume(co,1) local _,y=coroutine.resume(co,5) return {x,y,coroutine.status(co)}
local f=coroutine.wrap(function() for i=1,3 do coroutine.yield(i) end end) return {f(),f(),f()}
return {coroutine.resume(coroutine.create(function() error('x') end))}
return coroutine.running()
return coroutine.yield(1)
return coroutine.wrap(function() return redis.call('ping') end)()
return xpcall(error)
return pcall(1)
local ok,e=pcall(1) return e
return error('lvl',3)
local function f() error('deep',2) end f()
return redis.call('set','a','b').ok
return redis.call('lrange','nolist',0,-1)
return redis.call('get','nokey')==false
return redis.call('hmget','nokey','a','b')
return redis.call('mget','x1','x2')[1]
return redis.call('set','bin','\0\255') 
local t=setmetatable({},{__index=function(t,i) if i<4 then return i end end}) return t
return {ok=1}
return {err=1}
return {ok={}}
return {double='x'}
return {map=1}
return {1,{err='inner'}}
return {1,{ok='inner'}}
return {a=1,2}
return {[0]=1,2}
return -1
return '' 
return 'x\r\ny'
local x=1; local f=function() x=x+1 end; pcall(error,'e'); f(); return x
local fs={} for i=1,3 do pcall(function() local y=i fs[i]=function() y=y+1 return y end error('z') end) end return {fs[1](),fs[1](),fs[2](),fs[3]()}
local n=0 local ok,e=pcall(function() for i=1,10 do n=n+1 if i==5 then error({code=i}) end end end) return {n,e.code}
local t=cjson.decode('{"prefix":"p","keys":[1,2,3],"nested":{"deep":[[["x"]]]}}') return {t.prefix,#t.keys,t.nested.deep[1][1][1]}
local k={} for i=1,300 do k[i]='k'..i end return #redis.call('mget',unpack(k))
local seen={} seen[true]=1 seen[false]=2 return seen[true]*10+seen[false]
local key='prefix:'..1700000000000 redis.call('set',key,'v') return {key,redis.call('get','prefix:1700000000000')}
local r=redis.call('zadd','zz',1,'a',2,'b') local w=redis.call('zrange','zz',0,-1,'withscores') return {r,w}
return {redis.call('set','a1','x'),redis.call('get','a1'),redis.call('get','a2'),redis.call('strlen','a1')}
local cursor='0' local n=0 redis.call('mset','sc1',1,'sc2',2) repeat local r=redis.call('scan',cursor,'match','sc*') cursor=r[1] for _,k in ipairs(r[2]) do n=n+redis.call('del',k) end until cursor=='0' return n
return {('%d items'):format(3), ('a,b,c'):gsub(',', ';')}
local s=0 for k,v in pairs({a=1,b=2,c=3}) do s=s+v end return s
local function fact(n) if n<2 then return 1 end return n*fact(n-1) end return fact(20)
return {2^31, -2^31, 2^53, 7/2, -7/2, 1e3, 0x7fffffff}
return {tostring(1e100), tostring(-1e-10), tostring(123456789.123), tostring(1e14), tostring(99999999999999)}
return 1 == 1.0 and '1' ~= 1 and 'a' < 'b' and not nil
goto_ = nil
