"""Makes pre.json.gz: a byte-level vocabulary whose merges join across every border of words, texts, and their ids
by llama.cpp for each name of tokenizer.ggml.pre. Run: python pre.py NAMES OUT writes OUT/<name>.gguf and OUT/vocab.json;
then tokenise vocab.json's texts with llama.cpp (add_special false, parse_special false) into "ids" by name and gzip both.
glm5 was not known to the build that was used (node-llama-cpp, 26 Nov 2026): its ids are those of glm4, the same entry
in llama-vocab.cpp.
"""
import collections, json, struct, sys
NAMES, OUT = sys.argv[1:3]
texts=["Hello World, it's 12345 o'clock!","I'LL DON'T we'Re they'VE 'Twas it's",
"  leading and   many    spaces\t\ttabs\n\nlines \n  more\r\n\r\n end   ","x=1;y=22;z=333;w=4444;v=55555 1234567 1,000,000.50",
"naïve café ÀÉÎ straße ŒUVRE Ωμέγα Привет мир","你好，世界。今天是2024年3月5日！日本語テスト、カタカナひらがな","한국어 문장 ㅋㅋㅋ ㅏㅑ 입니다","हिन्दी में पाठ বাংলা ไทยคำ",
"a+b=c && d|e ^~ <tag attr=\"v\">`code` $100 #hash @user %5 {x}[y]\\z","CamelCaseHTTPServer snake_case_name kebab-case XMLHttpRequest iPhone",
"emoji 😀😃👩‍👩‍👧 flags 🇩🇪 ❤️ ½ ² ³ Ⅷ ٣٤٥ ๓","...!!!???---___***///:::","end with spaces   ","\n\n\n","   ","\t","one\n two\n  three\n   four","(paren) [bracket] {brace} «guillemets» “quotes” ‘single’ …",
"foo.bar/baz?q=1&r=2#frag http://ex.org/a_b","12 123 1234 12345 123456 1234567 12345678","Türkiye'nin İstanbul'da ağaç","bell\u0007 nul\u0001 nbsp\u00a0x zwsp\u200by ideographic\u3000z",
"A_B a1b2c3 v2.0.1-rc1 0x1F 1e-5","// comment\nfunc main() {\n\treturn x*y\n}\n","IMGIMGABCDZ <sentinel:12> done",". ,a !b ?c ;d","é combining e\u0301 a\u0308o\u0308 x\u0301\u0302","ﬁ ﬂ ligatures Ⓐ ⓩ 𝐀𝐁 𐐀𐐨","say \"hi\" 'bye' it''s","tabs\t\tand  \t mixed \n\t x","الله أكبر، مرحبا؟ ۱۲۳۴","ab  cd   ef    gh     ij"]
bs=list(range(33,127))+list(range(161,173))+list(range(174,256)); cs=bs[:]; n=0
for b in range(256):
    if b not in bs: bs.append(b); cs.append(256+n); n+=1
m={b:chr(c) for b,c in zip(bs,cs)}
tokens=[m[b] for b in range(256)]
seqs=[[m[b] for b in t.encode()] for t in texts]
merges=[]; have=set(tokens)
while len(merges)<1400:
    cnt=collections.Counter()
    for s in seqs:
        for a,b in zip(s,s[1:]): cnt[(a,b)]+=1
    best=None
    for (a,b),c in sorted(cnt.items(), key=lambda x:(-x[1],len(x[0][0]+x[0][1]),x[0])):
        if a+b not in have and len(a+b)<=16: best=(a,b); break
    if not best: break
    a,b=best; merges.append(a+' '+b); have.add(a+b); tokens.append(a+b)
    for i,s in enumerate(seqs):
        o=[];j=0
        while j<len(s):
            if j+1<len(s) and s[j]==a and s[j+1]==b: o.append(a+b); j+=2
            else: o.append(s[j]); j+=1
        seqs[i]=o
print(len(tokens),len(merges))
def S(x): x=x.encode(); return struct.pack('<Q',len(x))+x
names=open(NAMES).read().split('\n')
for name in names:
    kv=[]
    kv.append(S('general.architecture')+struct.pack('<I',8)+S('llama'))
    kv.append(S('tokenizer.ggml.model')+struct.pack('<I',8)+S('gpt2'))
    kv.append(S('tokenizer.ggml.pre')+struct.pack('<I',8)+S(name))
    kv.append(S('tokenizer.ggml.tokens')+struct.pack('<IIQ',9,8,len(tokens))+b''.join(map(S,tokens)))
    kv.append(S('tokenizer.ggml.token_type')+struct.pack('<IIQ',9,5,len(tokens))+struct.pack('<%di'%len(tokens),*[1]*len(tokens)))
    kv.append(S('tokenizer.ggml.merges')+struct.pack('<IIQ',9,8,len(merges))+b''.join(map(S,merges)))
    for k in ('bos','eos','unknown'): kv.append(S('tokenizer.ggml.%s_token_id'%k)+struct.pack('<II',4,0))
    kv.append(S('llama.attention.layer_norm_rms_epsilon')+struct.pack('<If',6,1e-5))
    for k in ('context_length','embedding_length','block_count','feed_forward_length','attention.head_count'): kv.append(S('llama.'+k)+struct.pack('<II',4,32))
    open(OUT+'/%s.gguf'%name,'wb').write(b'GGUF'+struct.pack('<IQQ',3,0,len(kv))+b''.join(kv))
json.dump({'tokens':tokens,'merges':merges,'texts':texts},open(OUT+'/vocab.json','w'),ensure_ascii=False)
