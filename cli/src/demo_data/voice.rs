//! What people say: sentence parts by language, put together by chance.

use super::chance::Chance;

/// The parts of one language. A sentence is: opener, thing, news, and sometimes a closer.
#[derive(Debug)]
pub(super) struct Voice {
    openers: &'static [&'static str],
    things: &'static [&'static str],
    news: &'static [&'static str],
    closers: &'static [&'static str],
    short: &'static [&'static str],
    /// Goes before what an edit adds.
    pub(super) edit: &'static str,
}

impl Voice {
    /// Something to say: now and then one word, mostly one sentence or two.
    pub(super) fn say(&self, chance: &mut Chance) -> String {
        if chance.one_in(4) {
            return (*chance.pick(self.short)).to_owned();
        }
        let mut text = self.sentence(chance);
        while chance.one_in(4) {
            let (thing, news) = (*chance.pick(self.things), *chance.pick(self.news));
            text.extend([" ", &capital(thing), " ", news]);
        }
        text
    }

    pub(super) fn sentence(&self, chance: &mut Chance) -> String {
        let opener = chance.pick(self.openers);
        let (thing, news) = (chance.pick(self.things), chance.pick(self.news));
        let subject = if opener.is_empty() || opener.ends_with(['!', '.', '?', '。']) {
            capital(thing)
        } else {
            (*thing).to_owned()
        };
        let words = format!("{opener} {subject} {news}");
        match chance.below(5) {
            0..=2 => format!("{} {}", words.trim_start(), chance.pick(self.closers)),
            _ => words.trim_start().to_owned(),
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

pub(super) static ENGLISH: Voice = Voice {
    openers: &[
        "",
        "",
        "Morning!",
        "Quick one:",
        "Heads up:",
        "Good news:",
        "Just off the phone.",
        "Not urgent, but",
        "So,",
        "As promised:",
        "Bad news first:",
        "FYI:",
    ],
    things: &[
        "the brake supplier",
        "the frame drawing",
        "the invoice for Lisbon",
        "the test ride",
        "the battery order",
        "the customs form",
        "the autumn campaign",
        "the demo bike",
        "the payroll export",
        "the new fork",
        "the crash report from Kiel",
        "the price list",
        "the booth for the fair",
        "the firmware of the display",
        "the spare wheel rack",
    ],
    news: &[
        "is two days late again.",
        "looks good to me.",
        "needs a second pair of eyes.",
        "went out this morning.",
        "is stuck in the port of Rotterdam.",
        "passed the load test.",
        "came back with three comments.",
        "is ready for review.",
        "costs 12 % more than we said.",
        "is missing a signature.",
        "works, finally!",
        "fell off the lorry. Literally.",
        "can wait until Thursday.",
        "was approved by legal.",
        "has the wrong part number.",
    ],
    closers: &[
        "Can you take a look before lunch?",
        "I'll sort it out.",
        "No rush.",
        "Thoughts?",
        "Numbers are in the sheet 📊",
        "Sorry for the noise 🙈",
        "Who owns this?",
        "Let's talk at the stand-up.",
        "Happy to explain on a call.",
        "Please don't forward this.",
        "Photos to follow 📷",
        "Coffee? ☕",
    ],
    short: &[
        "Thanks!",
        "👍",
        "On it.",
        "haha 😂",
        "+1",
        "Makes sense, go ahead.",
        "Back in 5",
        "Wrong chat, sorry!",
        "Yes please",
        "Which one?",
        "Done ✅",
        "🎉🎉🎉",
        "Can't hear you",
        "Nice work, everybody!",
        "Let me check …",
        "😅",
    ],
    edit: "Edit:",
};

pub(super) static GERMAN: Voice = Voice {
    openers: &[
        "",
        "",
        "Moin!",
        "Kurze Info:",
        "Gute Nachricht:",
        "Achtung:",
        "Nur zur Sicherheit:",
    ],
    things: &[
        "der Rahmen aus Kiel",
        "die Lieferung für Samstag",
        "das Angebot an die Stadtwerke",
        "der neue Akku",
        "die Prüfung der Bremsen",
        "das Maßblatt",
        "die Rechnung vom März",
    ],
    news: &[
        "ist schon wieder zu spät.",
        "sieht gut aus.",
        "muss noch unterschrieben werden.",
        "kommt erst übermorgen.",
        "passt überhaupt nicht.",
        "ist fertig – endlich!",
        "kostet 340 € mehr als geplant.",
        "liegt auf deinem Tisch.",
    ],
    closers: &[
        "Schaust du bitte drüber?",
        "Ich kümmere mich.",
        "Eilt nicht.",
        "Was meinst du?",
        "Später mehr 🚴",
        "Viele Grüße aus der Werkstatt!",
    ],
    short: &[
        "Danke!",
        "Passt.",
        "Mach ich.",
        "👌",
        "Ups 🙈",
        "Läuft.",
        "Bis gleich",
        "Schönen Feierabend!",
    ],
    edit: "Nachtrag:",
};

pub(super) static SPANISH: Voice = Voice {
    openers: &["", "", "¡Buenas!", "Una cosa:", "Ojo:", "Por cierto:", "Acabo de colgar."],
    things: &[
        "el pedido de Lisboa",
        "la feria de Zaragoza",
        "el cliente de Málaga",
        "la ficha técnica",
        "el descuento de otoño",
        "la bici de pruebas",
        "el contrato nuevo",
    ],
    news: &[
        "llega mañana.",
        "todavía no tiene fecha.",
        "sale más caro de lo que pensábamos.",
        "está en manos de Claire.",
        "funciona de maravilla.",
        "necesita otra vuelta.",
        "no aparece en la lista.",
        "va muy bien, ¡por fin!",
    ],
    closers: &[
        "¿Lo miras tú?",
        "Yo me encargo.",
        "Sin prisa.",
        "¿Qué te parece?",
        "Te mando las cifras luego 📈",
        "¡Ánimo! 💪",
    ],
    short: &[
        "¡Gracias!",
        "Vale",
        "Perfecto 👌",
        "jajaja 😂",
        "Ahora voy",
        "¿Cuál?",
        "Hecho ✅",
        "¡Qué bien!",
    ],
    edit: "Corrijo:",
};

pub(super) static FRENCH: Voice = Voice {
    openers: &[
        "",
        "",
        "Bonjour !",
        "Petite question :",
        "Bonne nouvelle :",
        "Pour info :",
        "Au fait,",
    ],
    things: &[
        "le stand du salon",
        "la commande de Grenoble",
        "le devis des garde-boue",
        "la notice en français",
        "le camion de jeudi",
        "la réunion avec la mairie",
        "l'écran du vélo",
    ],
    news: &[
        "arrive demain.",
        "pose encore problème.",
        "part ce soir.",
        "attend toujours une réponse.",
        "coûte plus que l'an dernier.",
        "marche très bien.",
        "manque dans le tableau.",
        "nous prendra deux jours de plus.",
    ],
    closers: &[
        "Tu peux regarder ?",
        "Je m'en occupe.",
        "Rien d'urgent.",
        "Qu'en penses-tu ?",
        "Les photos arrivent 📷",
        "On en parle demain ?",
    ],
    short: &[
        "Merci !",
        "Ça marche",
        "D'accord",
        "👍",
        "mdr 😄",
        "Lequel ?",
        "C'est fait ✅",
        "À tout de suite",
    ],
    edit: "Correction :",
};

pub(super) static POLISH: Voice = Voice {
    openers: &["", "", "Cześć!", "Krótko:", "Dobra wiadomość:", "Uwaga:", "Tak przy okazji:"],
    things: &[
        "dostawa z Gdyni",
        "rama numer 118",
        "faktura za marzec",
        "przegląd hamulców",
        "nowy akumulator",
        "protokół z testu",
        "klient ze Szczecina",
    ],
    news: &[
        "czeka na podpis.",
        "jedzie do Kilonii.",
        "wygląda dobrze.",
        "znowu się spóźnia.",
        "kosztuje więcej, niż myśleliśmy.",
        "działa – nareszcie!",
        "wymaga poprawki.",
    ],
    closers: &[
        "Zerkniesz?",
        "Zajmę się tym.",
        "Nie pali się.",
        "Co o tym myślisz?",
        "Zdjęcia wyślę później 📷",
    ],
    short: &["Dzięki!", "Jasne", "Robię", "👍", "Ups 😅", "Zrobione ✅", "Która?", "Do jutra!"],
    edit: "Poprawka:",
};

pub(super) static PORTUGUESE: Voice = Voice {
    openers: &["", "", "Bom dia!", "Só uma coisa:", "Boa notícia:", "Atenção:", "Olha,"],
    things: &[
        "a oficina do Porto",
        "o carregador novo",
        "a entrega de sexta",
        "o orçamento da câmara",
        "a roda de trás",
        "o relatório do acidente",
        "a loja de Braga",
    ],
    news: &[
        "chega amanhã.",
        "ainda não respondeu.",
        "ficou ótimo.",
        "precisa de mais um dia.",
        "custa mais do que dissemos.",
        "já está em cima da mesa.",
        "não passa na porta. 🤦",
    ],
    closers: &[
        "Podes ver isso?",
        "Eu trato.",
        "Sem pressa.",
        "O que achas?",
        "Mando fotos logo 📷",
    ],
    short: &[
        "Obrigado!",
        "Combinado",
        "Já vou",
        "👍",
        "haha 😂",
        "Feito ✅",
        "Qual deles?",
        "Até já",
    ],
    edit: "Correção:",
};

pub(super) static TURKISH: Voice = Voice {
    openers: &["", "", "Günaydın!", "Kısa bir not:", "İyi haber:", "Bu arada,", "Dikkat:"],
    things: &[
        "İzmir siparişi",
        "yeni batarya",
        "gümrük formu",
        "fren testi",
        "belediye teklifi",
        "mart faturası",
        "ekran yazılımı",
    ],
    news: &[
        "yarın geliyor.",
        "hâlâ imza bekliyor.",
        "çok iyi görünüyor.",
        "yine gecikti.",
        "planladığımızdan pahalı.",
        "sonunda çalışıyor!",
        "listede yok.",
    ],
    closers: &[
        "Bir bakar mısın?",
        "Ben hallederim.",
        "Acele yok.",
        "Ne dersin?",
        "Fotoğrafları sonra atarım 📷",
    ],
    short: &[
        "Teşekkürler!",
        "Tamam",
        "Bakıyorum",
        "👍",
        "Eyvah 🙈",
        "Bitti ✅",
        "Hangisi?",
        "Görüşürüz",
    ],
    edit: "Düzeltme:",
};

pub(super) static JAPANESE: Voice = Voice {
    openers: &["", "", "お疲れさまです。", "おはようございます。", "取り急ぎ、", "すみません、"],
    things: &[
        "ブレーキの見積もり",
        "新しいフレーム",
        "来週の試乗会",
        "大阪からの注文",
        "説明書の翻訳",
        "バッテリーの検査",
        "展示会のブース",
    ],
    news: &[
        "は明日届きます。",
        "はまだ確認中です。",
        "は問題ありませんでした。",
        "が少し遅れています。",
        "は予算を超えそうです。",
        "がやっと動きました!",
        "の写真を送ります。",
    ],
    closers: &[
        "ご確認をお願いします。",
        "急ぎではありません。",
        "いかがでしょうか?",
        "後で電話します 📞",
        "よろしくお願いします 🙇",
    ],
    short: &[
        "ありがとうございます!",
        "了解です",
        "👍",
        "承知しました",
        "すごい 🎉",
        "どれですか?",
        "完了しました ✅",
    ],
    edit: "訂正:",
};
