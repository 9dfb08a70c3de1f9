// jikji models …: its options.
#include "app/app.hpp"
#include "cli/command_tree.hpp"
#include "cli/models_adapters.hpp"

namespace jikji::cli {

ModelsOptions CommandLine::models_options() const {
    ModelsOptions out;
    out.language = language_;
    out.json = models_.json;
    out.quiet = models_.quiet;
    const CommonOptions& given = models_.common;
    const auto data = given.data.empty() ? app::default_data_folder() : given.data;
    out.data = data;
    out.folder = given.models.empty() ? data / "models" : given.models;
    return out;
}

CLI::App& CommandLine::models_command(CLI::App& group, const char* name, std::string_view english,
                                      std::string_view korean, Action action) {
    CLI::App& made = *command(group, name, english, korean, std::move(action));
    common_flags(made, models_.common);
    made.add_flag("--quiet", models_.quiet, t("no progress", "진행 표시 없음"));
    json_flag(made, models_.json);
    return made;
}

void CommandLine::add_models_weights(CLI::App& group) {
    CLI::App& optimise = models_command(
        group, "optimise", "measures which form of the weights is fastest here, and keeps it",
        "이 컴퓨터에서 가장 빠른 가중치 형식을 재어 둡니다", [this] {
            return models_optimise(models_options(), models_.name, models_.everything,
                                   models_.background);
        });
    optimise.add_option("model", models_.name, t("its name", "모델 이름"))->required();
    optimise.add_flag("--all", models_.everything,
                      t("measure also forms that cannot win", "이길 수 없는 형식도 잽니다"));
    optimise.add_flag("--background", models_.background,
                      t("only while nobody else computes", "다른 계산이 없을 때만"));
    CLI::App& score = models_command(
        group, "perplexity", "how well a model predicts a text", "모델이 글을 얼마나 잘 예측하는지",
        [this] { return models_perplexity(models_options(), models_.name, models_.text); });
    score.add_option("model", models_.name, t("name or .gguf file", "이름이나 .gguf 파일"))
        ->required();
    score.add_option("--text", models_.text, t("a file (a text of our own)", "글 파일(자체 글)"));
}

void CommandLine::add_models_adapters(CLI::App& group) {
    const auto adapter_option = [this](CLI::App& made) {
        made.add_option("adapter", models_.name,
                        t("an installed adapter, or ft:… of a finished job",
                          "설치된 어댑터나 끝난 작업의 ft:… 이름"))
            ->required();
    };
    CLI::App& out =
        models_command(group, "export-adapter", "writes an adapter for PEFT (Python) or llama.cpp",
                       "어댑터를 PEFT(파이썬)나 llama.cpp용으로 내보냅니다", [this] {
                           return models_export_adapter(models_options(), models_.name,
                                                        models_.format, models_.to);
                       });
    adapter_option(out);
    out.add_option("--format", models_.format,
                   t("peft (a folder) or gguf (a file)", "peft(폴더)나 gguf(파일)"))
        ->required();
    out.add_option("--to", models_.to, t("the folder or file to write", "쓸 폴더나 파일"))
        ->required();
    CLI::App& in = models_command(group, "import-adapter", "takes in an adapter of PEFT",
                                  "PEFT 어댑터를 넣습니다", [this] {
                                      return models_import_adapter(models_options(), models_.source,
                                                                   models_.base, models_.name);
                                  });
    in.add_option("folder", models_.source,
                  t("with adapter_config.json", "adapter_config.json이 있는 폴더"))
        ->required();
    in.add_option("--base", models_.base, t("the model that it is of", "이 어댑터의 기본 모델"))
        ->required();
    in.add_option("--name", models_.name, t("its name here", "여기서 쓸 이름"));
    CLI::App& merge = models_command(
        group, "merge-adapter", "makes a model of an adapter and its base",
        "어댑터와 기본 모델을 합쳐 새 모델을 만듭니다", [this] {
            return models_merge_adapter(models_options(), models_.name, models_.to, models_.type);
        });
    adapter_option(merge);
    merge.add_option("--to", models_.to, t("the new model's name", "새 모델의 이름"))->required();
    merge.add_option("--type", models_.type,
                     t("of the adapted weights: auto, base, q8_0 or f16 (auto: 8 bits or more)",
                       "합친 가중치의 형식: auto, base, q8_0, f16(auto: 8비트 이상)"));
}

void CommandLine::add_models() {
    CLI::App& group = *command(root_, "models", "the models on this machine", "모델을 관리합니다");
    const auto add = [this, &group](const char* name, std::string_view english,
                                    std::string_view korean, Action action) -> CLI::App& {
        return models_command(group, name, english, korean, std::move(action));
    };
    add("list", "what is here, and what can be had", "있는 모델과 받을 수 있는 모델",
        [this] { return models_list(models_options()); });
    CLI::App& show =
        add("show", "one model: size, memory, whether it fits", "모델 하나: 크기, 메모리, 맞는지",
            [this] { return models_show(models_options(), models_.name, models_.context); });
    show.add_option("model", models_.name, t("name or .gguf file", "이름이나 .gguf 파일"))
        ->required();
    show.add_option("--context", models_.context, t("tokens", "토큰 수"))
        ->check(CLI::Range(0, 1 << 20));
    CLI::App& put = add("add", "takes in a GGUF file, a model or an adapter",
                        "GGUF 파일(모델이나 어댑터)을 넣습니다", [this] {
                            return models_add(
                                models_options(), models_.source,
                                {.name = models_.name, .link = models_.link, .base = models_.base});
                        });
    put.add_option("file", models_.source, t("a .gguf file", ".gguf 파일"))->required();
    put.add_option("--name", models_.name, t("its name here", "여기서 쓸 이름"));
    put.add_option("--base", models_.base,
                   t("of an adapter: its model here", "어댑터일 때: 그 기본 모델"));
    put.add_flag("--link", models_.link, t("a link instead of a copy", "복사하지 않고 링크"));
    CLI::App& import =
        add("import", "takes in a Hugging Face folder", "Hugging Face 폴더를 넣습니다",
            [this] { return models_import(models_options(), models_.source, models_.name); });
    import.add_option("folder", models_.source, t("the folder", "폴더"))->required();
    import.add_option("--name", models_.name, t("its name here", "여기서 쓸 이름"));
    add_models_weights(group);
    add_models_adapters(group);
    for (CLI::App* named : {&add("pull", "fetches models by name", "이름으로 모델을 받습니다",
                                 [this] { return models_pull(models_options(), models_.names); }),
                            &add("rm", "removes models", "모델을 지웁니다",
                                 [this] { return models_rm(models_options(), models_.names); })}) {
        named->add_option("name", models_.names, t("names", "이름"))->required();
    }
}

}  // namespace jikji::cli
